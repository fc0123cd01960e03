#!/usr/bin/env bash
# A bank in parts by a Slurm job array (Debian: slurm-wlm and munge; one node will do), one of which is cancelled while it
# runs; the same array again finishes it. Ends by comparing with the bank of one process. TMPDIR must be a folder that the nodes share.
#
#     cargo build --release
#     tests/peer/parts_slurm.sh [target/release/bagssl]
set -euo pipefail
. "$(dirname "$0")/parts.sh"

make_pictures
job() {
    sbatch "$@" --array="1-$parts" --output="$folder/%a.log" <<END
#!/bin/sh
exec ${embed[@]@Q} --shard \$SLURM_ARRAY_TASK_ID/\$SLURM_ARRAY_TASK_COUNT --out "$folder/part-\$SLURM_ARRAY_TASK_ID"
END
}
number=$(job --parsable)
until [ -e "$folder/part-1/bank.json" ]; do sleep 0.1; done
scancel "${number}_1"
while squeue --noheader --jobs "$number" | grep -q .; do sleep 1; done
job --wait
cat "$folder"/*.log
merge_and_compare
