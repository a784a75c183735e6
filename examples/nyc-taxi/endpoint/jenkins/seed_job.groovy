// Job DSL: declares the Jenkins job of this repository, the same that the MLOps operator registers. For Jenkins servers on
// which nothing else does: run it from a freestyle job that checks this repository out (the Git plugin sets GIT_URL and
// GIT_BRANCH). Optional variables of that job: AWS_CREDENTIAL, the id of AWS credentials, and GIT_CREDENTIAL, the id of
// those that read this repository; without them the agents' own role, and no credentials.

def credential = binding.variables.get('AWS_CREDENTIAL') ?: ''
def gitCredential = binding.variables.get('GIT_CREDENTIAL') ?: ''
def branchName = GIT_BRANCH.replaceFirst('^origin/', '')

pipelineJob('sagemaker-@@@SAGEMAKER_PROJECT_NAME@@@-@@@SAGEMAKER_PROJECT_ID@@@-modeldeploy-endpoint') {
    description('SageMaker project @@@SAGEMAKER_PROJECT_NAME@@@: model endpoint deploy pipeline')
    keepDependencies(false)
    logRotator {
        numToKeep(30)
    }
    parameters {
        stringParam('ARTIFACT_BUCKET', '@@@ARTIFACT_BUCKET@@@', 'Bucket of the project')
        stringParam('SAGEMAKER_PROJECT_NAME', '@@@SAGEMAKER_PROJECT_NAME@@@', 'Name of the project')
        stringParam('SAGEMAKER_PROJECT_ID', '@@@SAGEMAKER_PROJECT_ID@@@', 'Id of the project')
        stringParam('SAGEMAKER_PROJECT_ARN', '@@@SAGEMAKER_PROJECT_ARN@@@', 'ARN of the project')
        stringParam('AWS_REGION', '@@@AWS_REGION@@@', 'Region of the project')
        stringParam('SAGEMAKER_PIPELINE_ROLE_ARN', '@@@SAGEMAKER_PIPELINE_ROLE_ARN@@@', 'Role that the pipeline runs as')
        stringParam('MODEL_PACKAGE_ARN', '', 'Model package to deploy; empty: as the configuration says')
        stringParam('EVENT_ID', '', 'Event that started the build; the model trigger sets it')
        stringParam('SOURCE_MODEL_PACKAGE_GROUP_NAME', '@@@SOURCE_MODEL_PACKAGE_GROUP_NAME@@@', 'Group of the models to deploy')
        stringParam('MODEL_EXECUTION_ROLE_ARN', '@@@MODEL_EXECUTION_ROLE_ARN@@@', 'Role that the model runs as')
        stringParam('ENDPOINT_TYPE', 'realtime', 'realtime or async')
        if (credential) {
            credentialsParam('AWS_CREDENTIAL') {
                type('com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl')
                required()
                defaultValue(credential)
                description('Credentials for AWS')
            }
        } else {
            stringParam('AWS_CREDENTIAL', '', 'Id of credentials for AWS; empty: the role of the agent')
        }
    }
    properties {
        disableConcurrentBuilds()
        pipelineTriggers {
            triggers {
                pollSCM {
                    scmpoll_spec('* * * * *')
                }
            }
        }
    }
    definition {
        cpsScm {
            scm {
                git {
                    remote {
                        url(GIT_URL)
                        if (gitCredential) {
                            credentials(gitCredential)
                        }
                    }
                    branch("*/${branchName}")
                    extensions {}
                }
            }
            scriptPath('jenkins/Jenkinsfile')
            lightweight(true)
        }
    }
}
