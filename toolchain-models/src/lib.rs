//! Models of the toolchain: which files a compiler, assembler, archiver or linker call reads and writes.
