//! The outside: clients of AWS and Jenkins. I/O without decisions; every reply is put into the domain's words here.

pub mod aws;
pub mod cloudformation;
pub mod ground;
pub mod jenkins;
pub mod s3;
pub mod sagemaker;
pub mod service_catalog;
