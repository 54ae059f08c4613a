# ffmpeg: a large configure written by hand, thousands of compiles. FFMPEG_CONF adds options to configure, FFMPEG_TARGETS names what to make.
fetch() { unpack ffmpeg; }
configure() {
    mkdir -p "$dest/build"
    cd "$dest/build"
    # shellcheck disable=SC2086 # several options in one variable
    ../src/configure --cc="$CC" --cxx="$CXX" --disable-doc --disable-x86asm --disable-autodetect ${FFMPEG_CONF-}
}
build() {
    cd "$dest/build"
    mapfile -t tools < <(given_tools AR RANLIB STRIP)
    # shellcheck disable=SC2086 # several targets in one variable
    "$MAKE" -j"$JOBS" CC="$CC" CXX="$CXX" LD="$CC" HOSTCC="$CC" HOSTLD="$CC" DEPCC="$CC" "${tools[@]}" ${FFMPEG_TARGETS-}
}
