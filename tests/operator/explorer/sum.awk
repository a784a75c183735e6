# Adds up the lines `explored KIND: N points, M played, F failed, ...` of tests/operator/crash.rs.
$1 == "explored" {
    kind = $2; sub(/:$/, "", kind)
    stories[kind]++; points[kind] += $3; played[kind] += $5; failed += $7
}
END {
    printf "scenarios %d, crash points %d (%d different worlds), fault points %d, acts in the middle %d (%d played), pairs %d, failures %d\n",
        stories["crash"], points["crash"], played["crash"], points["fault"], points["moment"], played["moment"], points["pair"], failed
}
