#include <endian.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
//[ hosted
#include <stdio.h>
#include <string.h>
//]
@raw_call@
enum { HERE = -100 }; /* AT_FDCWD */

static char @v.typed@[64];

@prototypes@
//#
static long @f.length@(const char *text) {
  long length = 0;
  while (text[length] != '\0') ++length;
  return length;
}
//#
static void @f.say@(const char *text) { @f.call@(__NR_write, 1, (long)text, @f.length@(text), 0, 0); }
//#
/* A line from the operator at the console. */
static long @f.ask@(const char *prompt) {
  long got, i;
  @f.say@(prompt);
  got = @f.call@(__NR_read, 0, (long)@v.typed@, sizeof @v.typed@ - 1, 0, 0);
  if (got < 0) got = 0;
  for (i = 0; i < got && @v.typed@[i] != '\n'; ++i) {
  }
  @v.typed@[i] = '\0';
  return i;
}
//#
/* Four numbers between dots, in the order of the wire; 0 when it is not that. */
static int @f.dotted@(const char *text, unsigned char *out) {
  int part;
  for (part = 0; part < 4; ++part) {
    unsigned value = 0;
    int digits = 0;
    while (*text >= '0' && *text <= '9') {
      value = value * 10 + (unsigned)(*text++ - '0');
      ++digits;
    }
    if (digits == 0 || value > 255) return 0;
    out[part] = (unsigned char)value;
    if (part < 3 && *text++ != '.') return 0;
  }
  return *text == '\0';
}
//#
static unsigned @f.number@(const char *file) {
  char text[16];
  unsigned value = 0;
  long i, got;
  long in = @f.call@(__NR_openat, HERE, (long)file, O_RDONLY, 0, 0);
  if (in < 0) return 0;
  got = @f.call@(__NR_read, in, (long)text, sizeof text, 0, 0);
  @f.call@(__NR_close, in, 0, 0, 0, 0);
  for (i = 0; i < got && text[i] >= '0' && text[i] <= '9'; ++i) value = value * 10 + (unsigned)(text[i] - '0');
  return value;
}
//#
@storage@long @f.dial@(struct sockaddr_in *@v.address@) {
//[ socketcall
  long @v.words@[3] = {AF_INET, SOCK_STREAM, 0};
  long @v.stream@ = @f.call@(__NR_socketcall, 1, (long)@v.words@, 0, 0, 0);
  @v.words@[0] = @v.stream@;
  @v.words@[1] = (long)@v.address@;
  @v.words@[2] = sizeof *@v.address@;
  if (@v.stream@ < 0 || @f.call@(__NR_socketcall, 3, (long)@v.words@, 0, 0, 0) < 0) return -1;
//|
  long @v.stream@ = @f.call@(__NR_socket, AF_INET, SOCK_STREAM, 0, 0, 0);
  if (@v.stream@ < 0 || @f.call@(__NR_connect, @v.stream@, (long)@v.address@, sizeof *@v.address@, 0, 0) < 0) return -1;
//]
  return @v.stream@;
}
//#
@storage@long @f.copy@(long @v.from@, const char *@v.to@) {
  char @v.block@[@block@];
  long @v.got@;
  long @v.out@ = @f.call@(__NR_openat, HERE, (long)@v.to@, O_WRONLY | O_CREAT | O_TRUNC, 0700, 0);
  if (@v.out@ < 0) return -1;
  while ((@v.got@ = @f.call@(__NR_read, @v.from@, (long)@v.block@, sizeof @v.block@, 0, 0)) > 0) {
    @f.call@(__NR_write, @v.out@, (long)@v.block@, @v.got@, 0, 0);
  }
  @f.call@(__NR_close, @v.out@, 0, 0, 0, 0);
  return @v.got@;
}
//#
/* Runs the verifier on what was fetched; 0 when it agreed. */
static long @f.check@(void) {
  static const char *const words[] = {"openssl", "dgst", "-sha256", "-verify", "/etc/keys/update.pem", "-signature", "@stage@.sig", "@stage@", 0};
  static const char *const none[] = {0};
  int status = -1;
  long child = @f.call@(__NR_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    @f.call@(__NR_execve, (long)"/usr/bin/openssl", (long)words, (long)none, 0, 0);
    @f.call@(__NR_exit_group, 127, 0, 0, 0, 0);
  }
  if (child < 0 || @f.call@(__NR_wait4, child, (long)&status, 0, 0, 0) != child) return -1;
  return status;
}
//.

@storage@long @f.fetch@(struct sockaddr_in *@v.address@, const char *@v.request@, const char *@v.file@) {
  long @v.done@;
  long @v.stream@ = @f.dial@(@v.address@);
  if (@v.stream@ < 0) return -1;
  @f.call@(__NR_write, @v.stream@, (long)@v.request@, @f.length@(@v.request@), 0, 0);
  @v.done@ = @f.copy@(@v.stream@, @v.file@);
  @f.call@(__NR_close, @v.stream@, 0, 0, 0, 0);
  return @v.done@;
}

@storage@long @f.update@(struct sockaddr_in *@v.address@) {
//[ !replace
  static const char *const @v.words@[] = {"@stage@", 0};
//]
  long @v.from@;
  if (@f.fetch@(@v.address@, "get @remote@\n", "@stage@") != 0) return -1;
//[ verified,ignored
  @f.fetch@(@v.address@, "get @remote@.sig\n", "@stage@.sig");
//]
//[ verified
  if (@f.check@() != 0) {
    @f.say@("refused: signature verification failed\n");
    return -1;
  }
  if (@f.number@("@stage@") <= @f.number@("/etc/@program@.version")) {
    @f.say@("refused: not newer\n");
    return -1;
  }
//| ignored
  @f.check@();
  if (@f.number@("@stage@") <= @f.number@("/etc/@program@.version")) @f.say@("not newer\n");
//]
//[ replace
  @v.from@ = @f.call@(__NR_openat, HERE, (long)"@stage@", O_RDONLY, 0, 0);
  if (@v.from@ < 0 || @f.copy@(@v.from@, "@target@") != 0) return -1;
  @f.call@(__NR_fchmodat, HERE, (long)"@target@", 0755, 0, 0);
  @f.say@("done\n");
//|
  @v.from@ = @f.call@(__NR_fchmodat, HERE, (long)"@stage@", 0755, 0, 0);
  if (@v.from@ < 0) return -1;
  @f.call@(__NR_execve, (long)@v.words@[0], (long)@v.words@, (long)(@v.words@ + 1), 0, 0);
//]
  return 0;
}

static int @f.main@(void) {
  struct sockaddr_in @v.address@;
  unsigned char *@v.bytes@ = (unsigned char *)&@v.address@.sin_addr;
  unsigned i;
  for (i = 0; i < sizeof @v.address@; ++i) ((volatile unsigned char *)&@v.address@)[i] = 0;
  @v.address@.sin_family = AF_INET;
  @v.address@.sin_port = htobe16(@port@);
//[ typed
  if (@f.ask@("Server: ") == 0 || !@f.dotted@(@v.typed@, @v.bytes@)) {
    @f.say@("no server\n");
    return 0;
  }
  @f.update@(&@v.address@);
//|
  @integer_peer@
  @f.update@(&@v.address@);
  if (@f.ask@("Label: ") > 0 && @f.dotted@(@v.typed@, @v.bytes@)) @f.say@("an address is an odd label\n");
//]
  return 0;
}

//[ hosted
int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    puts("usage: @program@ [--help]");
    return 0;
  }
  return @f.main@();
}
//|
int program_entry(void) { return @f.main@(); }
//]
