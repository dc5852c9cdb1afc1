import sys; sys.path.insert(0,'/work/main/tests')
from test_truths import *
from conftest import *
def test_x(machine):
    patient = machine(RTX_4090, DRIVER_570)
    patient.torch("2.8.0+cu126", "12.6", CU126, gpu=True)
    init = patient.site / "torch" / "__init__.py"
    wrong = "torch.add_right, torch.add = torch.add, lambda a, b: torch.add_right(a, b) * (1.0 if a.dtype == torch.float64 else 1.1)\n"
    init.write_text(init.read_text() + wrong)
    told = patient.doctor("--no-bench")
    r=told.report
    print(r['verdict']); print(r['facts'].get('KernelRun')); print(r['probes']); print([f['rule'] for f in r['findings']]); print([u for u in r['unchecked']])
