//! `AWS::CloudFormation::CustomResource` and all `Custom::…`: what of them is known before their function is asked. The
//! asking is `cloudformation/custom.rs`'s, since an answer comes later; no handler here is ever called.

use super::Kind;

const ASKED: &str = "A custom resource is brought about by its function";

pub(super) const KIND: Kind = Kind {
    name: "AWS::CloudFormation::CustomResource",
    properties: &[],
    required: &["ServiceToken"],
    replaced_by: &[],
    attributes: &[],
    tagged: false,
    create: |_, _, _| Err(ASKED.into()),
    update: |_, _, _, _, _| Err(ASKED.into()),
    delete: |_, _, _, _| Err(ASKED.into()),
};
