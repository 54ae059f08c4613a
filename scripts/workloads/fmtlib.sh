# fmtlib: CMake and ninja, a C++ library. The compiler is settled at configure time: CXX counts there.
fetch() { unpack fmtlib; }
configure() {
    "$here/setup" cmake
    cmake -S "$src" -B "$dest/build" -G Ninja -DCMAKE_MAKE_PROGRAM="$(command -v "$NINJA")" \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$CXX" -DBUILD_SHARED_LIBS=ON -DFMT_TEST=OFF -DFMT_DOC=OFF
}
build() { "$NINJA" -C "$dest/build" -j"$JOBS"; }
