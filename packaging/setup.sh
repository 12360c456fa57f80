# shellcheck shell=bash
# What ./run and ./test share: installing what is missing, fetching LibTorch, building. To be sourced by bash.
# Every step does nothing when its work is done already, and can be interrupted and started again.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=$root/build/release
# Another checkout of the same sources then finds in ccache what this one compiled.
export CCACHE_BASEDIR=$root
apt_options=(-q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)

# die WHAT [ADVICE]
die() {
    printf '\nerror: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '  %s\n' "$2" >&2
    exit 1
}

# step TEXT: says what begins, and how long this run has taken so far
step() {
    printf '\n== %d:%02d  %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$1"
}

trap 'printf "\nInterrupted. Start it again to go on where it stopped.\n" >&2; exit 130' INT TERM

listed_packages() {
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' -e 's/[[:space:]]*$//' "$root/packaging/debian-packages.txt"
}

# Those of the given packages that are not installed.
missing_packages() {
    comm -23 <(printf '%s\n' "$@" | sort -u) \
        <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' | sort -u)
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

can_become_root() {
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; }
}

# ensure_packages NAME...
ensure_packages() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        echo "This is not Debian, so nothing is installed. What Debian calls: $*"
        echo "is needed; the build goes on with what it finds."
        return
    fi
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0

    local command="apt-get install --no-install-recommends ${missing[*]}"
    can_become_root || die "${#missing[@]} Debian packages are missing and this user may not install them." \
        "As root, run: apt-get update && $command"
    step "Installing ${#missing[@]} Debian packages: ${missing[*]}"
    local attempt
    for attempt in 1 2 3; do
        [ "$attempt" = 1 ] || { echo "Trying again ($attempt of 3)"; sleep 5; }
        as_root dpkg --configure -a </dev/null || true
        # One unreachable source of many must not stop what the others can provide.
        as_root apt-get "${apt_options[@]}" update </dev/null || echo "Going on with the package lists that are there"
        as_root apt-get "${apt_options[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null && return
    done
    die "The Debian packages could not be installed; the reason is above." \
        "Check the network, the free disk space and that apt's sources contain Debian's main. By hand: $command"
}

own_libtorch() {
    local prefix
    while read -r -d : prefix; do
        [ ! -e "$prefix/include/torch/csrc/api/include/torch/torch.h" ] || return 0
    done <<<"${CMAKE_PREFIX_PATH:-}:"
    return 1
}

ensure_libtorch() {
    ! own_libtorch || return 0
    [ "$(uname -sm)" = "Linux x86_64" ] || die "LibTorch is pinned for Linux on x86_64 only." \
        "Point CMAKE_PREFIX_PATH at a LibTorch 2.15 of your own and start again."
    python3 "$root/packaging/fetch-libtorch" || exit
}

# Everything that building needs.
ensure_tools() {
    local packages
    mapfile -t packages < <(listed_packages)
    ensure_packages "${packages[@]}"
    ensure_libtorch
}

# A file that includes torch takes almost 2 GB to compile.
build_jobs() {
    local cores memory
    cores=$(nproc)
    memory=$(awk '/^MemAvailable/ { print int($2 / 2000000) }' /proc/meminfo 2>/dev/null || echo "$cores")
    [ "$memory" -ge 1 ] || memory=1
    echo "${SUPRALENS_JOBS:-$((memory < cores ? memory : cores))}"
}

configure() {
    local fresh=()
    # A folder that was moved or copied here remembers where it was.
    grep -qsx "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$build_dir/CMakeCache.txt" || fresh=(--fresh)
    [ ${#fresh[@]} -gt 0 ] || [ ! -f "$build_dir/build.ninja" ] || return 0
    step "Configuring"
    cmake -S "$root" --preset release "${fresh[@]}" || die "CMake could not configure the build; the reason is above." \
        "Something is missing or too old. These Debian 12 packages provide all of it: $(listed_packages | xargs)"
    ln -sfn build/release/compile_commands.json "$root/compile_commands.json"
}

# build [TARGET...]: those targets, or all
build() {
    local targets=()
    [ $# -eq 0 ] || targets=(--target "$@")
    [ -d "$build_dir" ] || local first=" (for the first time: up to 20 minutes on two cores)"
    configure
    step "Building${first:-}"
    cmake --build "$build_dir" --parallel "$(build_jobs)" "${targets[@]}" && return
    die "The build failed; the reason is above." \
        "If a compiler was killed, memory was short: SUPRALENS_JOBS=1 helps. Started again, it builds what is missing."
}
