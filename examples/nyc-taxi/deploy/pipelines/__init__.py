"""SageMaker pipelines of this repository, and the commands that Jenkins runs them with.

``pipelines/<name>/pipeline.py`` describes one pipeline; the scripts beside it run inside its steps. The modules at this
level (`_utils`, `run_pipeline`, `get_pipeline_definition`) know nothing of taxis: they are the same in every
repository of the project.
"""
