# zlib: a configure written by hand; .o and PIC .lo pairs, a static and a shared library.
fetch() { unpack zlib; }
configure() {
    cd "$src"
    CC=$CC ./configure
}
build() {
    cd "$src"
    # LDSHARED and CPP hold the compiler's name too; what follows it is kept
    shared=$(sed -n 's/^LDSHARED=[^ ]*//p' Makefile)
    mapfile -t tools < <(given_tools AR RANLIB)
    "$MAKE" -j"$JOBS" CC="$CC" LDSHARED="$CC$shared" CPP="$CC -E" "${tools[@]}"
}
