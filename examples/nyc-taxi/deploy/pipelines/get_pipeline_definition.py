"""The command ``get-pipeline-definition``: writes a pipeline's JSON definition. It calls no AWS and needs no credentials."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pipelines._utils import BadArgument, add_kwargs, call, clean_output, load_pipeline_module, read_kwargs


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit code: 0, or 2 for an argument that cannot be used."""
    parser = argparse.ArgumentParser("get-pipeline-definition", description="Writes a pipeline's JSON definition.")
    parser.add_argument("-n", "--module-name", required=True, help="the pipeline's module, such as pipelines.train.pipeline")
    parser.add_argument("-f", "--file-name", type=Path, help="where to write it; default: standard output")
    add_kwargs(parser)
    options = parser.parse_args(arguments)
    try:
        with clean_output():
            module = load_pipeline_module(options.module_name)
            definition = call(module.get_pipeline, **read_kwargs(options)).definition()
    except BadArgument as error:
        print(f"get-pipeline-definition: {error}", file=sys.stderr)
        return 2
    text = json.dumps(json.loads(definition), indent=2, sort_keys=True) + "\n"
    if options.file_name:
        options.file_name.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
