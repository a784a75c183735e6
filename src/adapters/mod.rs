//! Clients of AWS and Jenkins. I/O without decisions; every reply is put into the domain's words here.

pub mod aws;
pub mod jenkins;
