# The source packages that the build takes from Debian: upstream version, and SHA-256 of
# the upstream tarball (Debian's lwip_2.1.3+dfsg1, musl_1.2.3 and sqlite3_3.40.1). Fetched
# and verified by tools/fetch-source.
MUSL_VERSION := 1.2.3
MUSL_SHA256 := 7d5b0b6062521e4627e099e4c9dc8248d32a30285e959b7eecaa780cf8cfd4a4
LWIP_VERSION := 2.1.3
LWIP_SHA256 := 0a8276d09fc4e97bbba2f953d74af2388fc2195ea156be9d7589e297a68fde24
SQLITE_VERSION := 3.40.1
SQLITE_SHA256 := aaa776260ab4dc976db34aa7891819484c8676b5b2783123ebc6301e2ca5d655
