"""Apache TVM: where it runs."""

from __future__ import annotations

from varstudy.survey.environments import Environment
from varstudy.survey.frameworks.declaring import Framework

TVM = Environment(
    "tvm", "3.11", ("apache-tvm==0.27.0.post1", "numpy==2.4.6"), megabytes=420, aliases={"tvm": "apache-tvm"}
)
FRAMEWORKS = [
    Framework("tvm", "Apache TVM", TVM, modules=("tvm",), order=340),
]
