# Runs one command of a buildspec as CodeBuild does: with the variables and in the folder that the one before it left.
# Arguments: a folder for what is kept between commands, and whether the build has succeeded so far (1 or 0).
sandbox_kept=$1
[ ! -f "$sandbox_kept/environment" ] || . "$sandbox_kept/environment"
export CODEBUILD_BUILD_SUCCEEDING="$2"
cd "$(cat "$sandbox_kept/folder")" || exit 1
trap 'sandbox_code=$?; export -p > "$sandbox_kept/environment"; pwd > "$sandbox_kept/folder"; exit $sandbox_code' EXIT
. "$sandbox_kept/command"
