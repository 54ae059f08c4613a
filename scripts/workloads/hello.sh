# GNU hello: automake and gnulib, the smallest autotools sample.
fetch() { unpack hello; }
configure() {
    cd "$src"
    CC=$CC ./configure --quiet --disable-nls
    # newer than what they are made from: neither makeinfo nor help2man is needed
    touch doc/hello.info man/hello.1
}
build() {
    cd "$src"
    mapfile -t tools < <(given_tools AR RANLIB STRIP)
    "$MAKE" -j"$JOBS" CC="$CC" "${tools[@]}"
}
