# redis: recursive make, bundled libraries; jemalloc runs its configure inside make (REDIS_MALLOC=libc leaves it out).
# Without the Debian patches, which ask for system libraries.
# CONFIGURE_TOOLS ("CC=gcc AR=ar"): what jemalloc is configured with, when not the tools of the build: it writes their names down.
fetch() { unpack redis --skip-patches; }
configure() { :; }
build() {
    cd "$src"
    mapfile -t tools < <(given_tools AR RANLIB STRIP)
    [ -z "${REDIS_MALLOC-}" ] || tools+=(MALLOC="$REDIS_MALLOC")
    [ -z "${CONFIGURE_TOOLS-}" ] || tools+=(JEMALLOC_CONFIGURE_OPTS="$CONFIGURE_TOOLS")
    "$MAKE" -j"$JOBS" CC="$CC" CXX="$CXX" "${tools[@]}"
}
