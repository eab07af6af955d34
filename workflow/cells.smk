# Cells of the race, one a job, each behind those that it waits for. 'jtcse race' writes the configuration and calls exactly this:
#
#   snakemake -s workflow/cells.smk --configfile build/embedded/settings/race.json --cores 2 --keep-going
#
# The configuration names what is to be done: only cells that are not done are in it, and a marker is left for each.
# A cluster:  --executor slurm --jobs 4 --config gpus=1   (pip install snakemake-executor-plugin-slurm)
import os
import sys
from pathlib import Path

ROOT = Path(workflow.basedir).parent
sys.path.insert(0, str(ROOT))
from jtcse.pipeline.snakemake import cell_log, cell_marker

workdir: config["workdir"]
ORDER = f"settings/{config['name']}.json"  # the configuration itself, which every cell reads
CELLS = config["cells"]  # each with those that it waits for

# Jobs run with the Python that runs Snakemake, and import the package of this checkout.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


rule cells:
    input:
        [cell_marker(name) for name in CELLS],


rule cell:
    input:
        lambda found: [cell_marker(need) for need in CELLS[f"{found.id}/{found.seed}"]],
    output:
        touch(cell_marker("{id}/{seed}")),
    log:
        cell_log("{id}/{seed}"),
    wildcard_constraints:
        seed="[0-9]+",
    threads: config["threads"]
    resources:
        gpu=int(config.get("gpus", 0)),
    shell:
        # Waiting threads sleep: several cells run at a time, and spinning ones would take each other's cores. The shell stays, to
        # say how a cell ended that cannot; what it replaced would begin with the memory of Snakemake as its peak (Linux).
        "OMP_NUM_THREADS={threads} OMP_WAIT_POLICY=PASSIVE python -m jtcse.experiments.one_cell {ORDER} {wildcards.id:q} "
        "{wildcards.seed} > {log:q} 2>&1 || {{ status=$?; [ $status -le 128 ] || echo "
        "\"it was ended from outside, or ran out of memory; it last said: $(tail -n 1 {log:q})\" >> {log:q}; exit $status; }}"
