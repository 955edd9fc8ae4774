#include "manifest.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANIFEST_LIMIT = 8192, SIGNATURE_SIZE = 64 };

static size_t read_all(const char *directory, const char *name, unsigned char *out, size_t size) {
  char path[256];
  size_t got;
  FILE *in;
  snprintf(path, sizeof path, "%s/%s", directory, name);
  in = fopen(path, "rb");
  if (in == NULL) return 0;
  got = fread(out, 1, size, in);
  if (fgetc(in) != EOF) got = 0; /* longer than anything we accept */
  fclose(in);
  return got;
}

static int signature_holds(const char *key_file, const unsigned char *signature, const unsigned char *text,
                           size_t length) {
  int holds = 0;
  FILE *in = fopen(key_file, "r");
  EVP_PKEY *key = in == NULL ? NULL : PEM_read_PUBKEY(in, NULL, NULL, NULL);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  if (in != NULL) fclose(in);
  if (key != NULL && context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1) {
    holds = EVP_DigestVerify(context, signature, SIGNATURE_SIZE, text, length) == 1;
  }
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  return holds;
}

static int file_holds(const char *directory, const struct manifest_file *file) {
  char path[256];
  char hex[65];
  unsigned char block[4096];
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  unsigned i;
  unsigned long size = 0;
  size_t got;
  EVP_MD_CTX *context;
  FILE *in;
  snprintf(path, sizeof path, "%s/%s", directory, file->path);
  in = fopen(path, "rb");
  if (in == NULL) return 0;
  context = EVP_MD_CTX_new();
  EVP_DigestInit_ex(context, EVP_sha256(), NULL);
  while ((got = fread(block, 1, sizeof block, in)) > 0) {
    EVP_DigestUpdate(context, block, got);
    size += got;
  }
  EVP_DigestFinal_ex(context, digest, &length);
  EVP_MD_CTX_free(context);
  fclose(in);
  for (i = 0; i < length && i < 32; ++i) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
  return length == 32 && size == file->size && strcmp(hex, file->sha256) == 0;
}

static int path_is_plain(const char *path) { return path[0] != '/' && strstr(path, "..") == NULL; }

static int parse(char *text, struct manifest *out) {
  char *rest = NULL;
  char *line;
  memset(out, 0, sizeof *out);
  for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    struct manifest_file *file = &out->file[out->files];
    if (sscanf(line, "device %31s", out->device) == 1) continue;
    if (sscanf(line, "version %31s", out->version) == 1) continue;
    if (sscanf(line, "origin %95[^\n]", out->origin) == 1) continue;
    if (sscanf(line, "notes %199[^\n]", out->notes) == 1) continue;
    if (out->files == MANIFEST_FILES) return -1;
    if (sscanf(line, "file %64s %lu %95s", file->sha256, &file->size, file->path) != 3) return -1;
    if (!path_is_plain(file->path)) return -1;
    ++out->files;
  }
  return out->files > 0 && out->version[0] != '\0' && out->device[0] != '\0' ? 0 : -1;
}

int manifest_verify(const char *directory, const char *key_file, struct manifest *out, const char **why) {
  static char text[MANIFEST_LIMIT + 1];
  unsigned char signature[SIGNATURE_SIZE];
  size_t length = read_all(directory, "manifest", (unsigned char *)text, MANIFEST_LIMIT);
  size_t i;
  text[length] = '\0';
  if (length == 0) {
    *why = "no manifest";
    return -1;
  }
  if (read_all(directory, "manifest.sig", signature, sizeof signature) != sizeof signature) {
    *why = "no signature";
    return -1;
  }
  if (!signature_holds(key_file, signature, (const unsigned char *)text, length)) {
    *why = "signature verification failed";
    return -1;
  }
  if (parse(text, out) != 0) {
    *why = "manifest is malformed";
    return -1;
  }
  for (i = 0; i < out->files; ++i) {
    if (!file_holds(directory, &out->file[i])) {
      *why = "content does not match the signed manifest";
      return -1;
    }
  }
  *why = "";
  return 0;
}

int version_compare(const char *a, const char *b) {
  while (*a != '\0' || *b != '\0') {
    char *after_a;
    char *after_b;
    unsigned long left = strtoul(a, &after_a, 10);
    unsigned long right = strtoul(b, &after_b, 10);
    if (left != right) return left < right ? -1 : 1;
    a = *after_a == '.' ? after_a + 1 : "";
    b = *after_b == '.' ? after_b + 1 : "";
  }
  return 0;
}
