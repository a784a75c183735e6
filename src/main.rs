//! The command line: placeholder of the first commit.
fn main() {}
