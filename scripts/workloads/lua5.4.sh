# lua by its own makefile: no configure; objects, liblua.a by `ar rcu` and ranlib, lua, luac.
# Without the Debian patches, which bring libtool in.
fetch() { unpack lua5.4 --skip-patches; }
configure() { :; }
build() {
    cd "$src"
    tools=()
    [ -z "${AR-}" ] || tools+=(AR="$AR rcu")
    [ -z "${RANLIB-}" ] || tools+=(RANLIB="$RANLIB")
    "$MAKE" -j"$JOBS" CC="$CC -std=gnu99" "${tools[@]}" linux
}
