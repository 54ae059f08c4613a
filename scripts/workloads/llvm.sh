# llvm (X86 only, no clang): CMake and ninja, some 2,000 edges; LLVM_TARGET limits what is built, LLVM_TYPE, LLVM_TESTS
# and LLVM_CONF go to CMake. The compiler is settled at configure time.
fetch() {
    "$here/setup" workload cmake
    kept=$(source_package llvm-toolchain-15)
    rm -rf "$src"
    mkdir "$src"
    # the whole tree is 1.2 GB: only what llvm's own build reads
    tar -xf "$kept"/llvm-toolchain-15_*.orig.tar.xz -C "$src" --strip-components=1 --wildcards '*/llvm/*' '*/cmake/*' '*/third-party/*'
}
configure() {
    "$here/setup" cmake
    # shellcheck disable=SC2086 # several options in one variable
    cmake -S "$src/llvm" -B "$dest/build" -G Ninja -DCMAKE_MAKE_PROGRAM="$(command -v "$NINJA")" \
        -DCMAKE_BUILD_TYPE="${LLVM_TYPE:-Release}" -DLLVM_TARGETS_TO_BUILD=X86 \
        -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" -DLLVM_INCLUDE_TESTS="${LLVM_TESTS:-OFF}" ${LLVM_CONF-} \
        -DLLVM_INCLUDE_BENCHMARKS=OFF -DLLVM_ENABLE_ZLIB=OFF -DLLVM_ENABLE_LIBXML2=OFF -DLLVM_ENABLE_TERMINFO=OFF
}
build() { "$NINJA" -C "$dest/build" -j"$JOBS" ${LLVM_TARGET:-FileCheck}; }
