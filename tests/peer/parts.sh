# What parts_parallel.sh and parts_slurm.sh share: what is embedded, in how many parts, and the bank of one process to
# compare with. Sourced; the first argument of the script is the program.
program=$(realpath "${1:-$(dirname "$0")/../../target/release/bagssl}")
parts=4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Nothing is taken over from the bank of one process or from another part.
embed=("$program" embed --data "$folder/pictures" --split train --limit 90 --patch 16 --stride 8 --space "h,z"
    --device cpu --threads 1 --cache-size 0)

# Pictures of which one turns out to be broken once it is decoded.
make_pictures() {
    "$program" data synth --out "$folder/pictures" --images 100 --size 32 --split train
    local pictures=("$folder"/pictures/train/*/*)
    dd if=/dev/zero of="${pictures[7]}" bs=1 seek=300 count=200 conv=notrunc status=none
}

# Joins the parts, named the last one first, and holds them against one process.
merge_and_compare() {
    "$program" bank merge $(ls -dr "$folder"/part-*) --out "$folder/merged"
    "${embed[@]}" --out "$folder/whole"
    diff -r "$folder/whole" "$folder/merged"
    echo "$parts parts: byte for byte the bank of one process"
}
