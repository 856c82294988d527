# Sourced by the build scripts of this folder. What they build lies outside the tree, in a folder whose
# name is a hash of everything that the result depends on, so that all checkouts and presets share it.
#
#   cached NAME KEY FUNCTION   prints the folder of NAME. If it is not there yet, FUNCTION is called with
#                              a work folder and a folder to fill, which is then renamed into place.
# One builder at a time (flock); a builder that dies leaves nothing that another would take for complete.

# Package managers' own folders, for shells that were started without a login profile.
export PATH="$PATH:$HOME/.cargo/bin:/usr/local/go/bin:$HOME/go/bin"

cache_root() {
  printf '%s\n' "${PLAIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/plait}"
}

# The hash of the given files' contents and of the compiler's version.
cache_key() {
  { cat "$@"; "${CC:-gcc}" -dumpfullversion; "${CC:-gcc}" -dumpmachine; } | sha256sum | cut -c1-16
}

cached() {
  local name=$1 key=$2 build=$3 root dir
  root=$(cache_root)
  dir=$root/$name-$key
  if [[ ! -d $dir ]]; then
    mkdir -p "$root"
    exec 9>"$root/$name.lock"
    flock 9
    if [[ ! -d $dir ]]; then
      # The work folder has the same name each time: compiler caches then hit after a small change of the recipe.
      local work=$root/work-$name out=$root/new-$name start=$SECONDS
      rm -rf "$work" "$out"
      mkdir -p "$work" "$out"
      echo "third_party/$name: building, once for this compiler and these pins" >&2
      # Not in "if" or before "||": there bash would ignore errexit inside the function.
      set +e
      (set -euo pipefail; "$build" "$work" "$out") >"$root/$name.log" 2>&1 9>&-
      local status=$?
      set -e
      if ((status != 0)); then
        tail -40 "$root/$name.log" >&2
        echo "third_party/$name: failed; the whole log is $root/$name.log" >&2
        return 1
      fi
      mv "$out" "$dir"
      rm -rf "$work"
      echo "third_party/$name: done in $((SECONDS - start)) s" >&2
    fi
    exec 9>&-
  fi
  printf '%s\n' "$dir"
}
