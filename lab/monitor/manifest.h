/* An update package on local storage: DIR/manifest, DIR/manifest.sig and the files that the manifest names.
 *
 * The manifest is text, one item a line: "device NAME", "version A.B.C", "origin TEXT", "notes TEXT" and, for each
 * file, "file SHA256 SIZE PATH", PATH being where it goes beneath /opt. The signature is Ed25519 over the whole
 * manifest, so content and metadata are both covered. */
#ifndef MANIFEST_H
#define MANIFEST_H
#include <stddef.h>

enum { MANIFEST_FILES = 16 };

struct manifest_file {
  char sha256[65];
  unsigned long size;
  char path[96];
};

struct manifest {
  char device[32];
  char version[32];
  char origin[96];
  char notes[200];
  size_t files;
  struct manifest_file file[MANIFEST_FILES];
};

/* Fills `out` only after the signature has been checked against `key_file` (PEM) and every named file has been read,
 * measured and hashed. 0 when all of it holds; otherwise -1 and `why` says what did not. */
int manifest_verify(const char *directory, const char *key_file, struct manifest *out, const char **why);
/* Below, at or above zero as version `a` is older than, equal to or newer than `b`; numbers between dots. */
int version_compare(const char *a, const char *b);

#endif
