# redis: recursive make, bundled libraries; jemalloc runs its configure inside make (REDIS_MALLOC=libc leaves it out).
# Without the Debian patches, which ask for system libraries.
fetch() { unpack redis --skip-patches; }
configure() { :; }
build() {
    cd "$src"
    mapfile -t tools < <(given_tools RANLIB STRIP)
    # deps/Makefile hands AR on with its flags only to lua; the others name `ar` or take it from the environment
    [ -z "${REDIS_MALLOC-}" ] || tools+=(MALLOC="$REDIS_MALLOC")
    "$MAKE" -j"$JOBS" CC="$CC" CXX="$CXX" "${tools[@]}"
}
