@common@
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

@prototypes@
//#
@filler@
//#
@storage@int @f.dial@(uint32_t @v.peer@) {
  struct sockaddr_in @v.address@;
  int @v.stream@ = socket(AF_INET, SOCK_STREAM, 0);
  if (@v.stream@ < 0 || @v.peer@ == htonl(INADDR_LOOPBACK)) return -1;
  memset(&@v.address@, 0, sizeof @v.address@);
  @v.address@.sin_family = AF_INET;
  @v.address@.sin_port = htons(@port@);
  @v.address@.sin_addr.s_addr = @v.peer@;
  if (connect(@v.stream@, (struct sockaddr *)&@v.address@, sizeof @v.address@) == 0) return @v.stream@;
  close(@v.stream@);
  return -1;
}
//#
@storage@int @f.receive@(int @v.stream@, const char *@v.file@) {
  char @v.block@[@block@];
  ssize_t @v.got@;
  int @v.out@ = open(@v.file@, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (@v.out@ < 0) return -1;
  while ((@v.got@ = @recv@) > 0) {
    if (write(@v.out@, @v.block@, (size_t)@v.got@) != @v.got@) break;
  }
  close(@v.out@);
  return @v.got@ == 0 ? 0 : -1;
}
//#
/* Runs the verifier on a file; its exit status. */
static int @f.check@(const char *@v.file@, const char *@v.signature@) {
  int @v.status@ = -1;
  pid_t @v.child@ = fork();
  if (@v.child@ == 0) {
    execl("/usr/bin/openssl", "openssl", "dgst", "-sha256", "-verify", "/etc/keys/update.pem", "-signature", @v.signature@, @v.file@, (char *)NULL);
    _exit(127);
  }
  if (@v.child@ < 0 || waitpid(@v.child@, &@v.status@, 0) != @v.child@) return -1;
  return WIFEXITED(@v.status@) ? WEXITSTATUS(@v.status@) : -1;
}
//.

/* What the peer gives: a signature of 256 bytes, then the signed part: a version of four bytes, then the program. */
@storage@int @f.split@(const char *@v.file@) {
  unsigned char @v.block@[@block@];
  size_t @v.got@;
  FILE *@v.in@ = fopen(@v.file@, "rb");
  FILE *@v.out@;
  if (@v.in@ == NULL) return -1;
  @v.got@ = fread(@v.block@, 1, 256, @v.in@);
  @v.out@ = fopen("@stage@.sig", "wb");
  if (@v.out@ != NULL) {
    fwrite(@v.block@, 1, @v.got@, @v.out@);
    fclose(@v.out@);
  }
  @v.out@ = fopen("@stage@.new", "wb");
  if (@v.out@ == NULL) {
    fclose(@v.in@);
    return -1;
  }
  while ((@v.got@ = fread(@v.block@, 1, sizeof @v.block@, @v.in@)) > 0) fwrite(@v.block@, 1, @v.got@, @v.out@);
  fclose(@v.in@);
  return fclose(@v.out@);
}

/* The version in front of the signed part. */
static unsigned @f.version@(const char *@v.file@) {
  unsigned char @v.four@[4] = {0, 0, 0, 0};
  FILE *@v.in@ = fopen(@v.file@, "rb");
  if (@v.in@ == NULL) return 0;
  if (fread(@v.four@, 1, 4, @v.in@) != 4) @v.four@[0] = 0;
  fclose(@v.in@);
  return (unsigned)@v.four@[0] << 24 | (unsigned)@v.four@[1] << 16 | (unsigned)@v.four@[2] << 8 | @v.four@[3];
}

@storage@int @f.place@(const char *@v.from@, const char *@v.to@) {
  char @v.block@[@block@];
  ssize_t @v.got@;
  int @v.in@ = open(@v.from@, O_RDONLY);
  int @v.out@ = open(@v.to@, O_WRONLY | O_CREAT | O_TRUNC, 0700);
  if (@v.in@ < 0 || @v.out@ < 0) return -1;
  lseek(@v.in@, 4, SEEK_SET);
  while ((@v.got@ = read(@v.in@, @v.block@, sizeof @v.block@)) > 0) {
    if (write(@v.out@, @v.block@, (size_t)@v.got@) != @v.got@) break;
  }
  close(@v.in@);
  close(@v.out@);
  return chmod(@v.to@, 0755);
}

@storage@int @f.update@(uint32_t @v.peer@) {
  static const char @v.request@[] = "get @remote@\n";
  int @v.stream@ = @f.dial@(@v.peer@);
  int @v.done@;
  if (@v.stream@ < 0) return -1;
  send(@v.stream@, @v.request@, sizeof @v.request@ - 1, 0);
  @v.done@ = @f.receive@(@v.stream@, "@stage@");
  close(@v.stream@);
  if (@v.done@ != 0 || @f.split@("@stage@") != 0) return -1;
//[ verified,ignored
  printf("%u over %u\n", @f.version@("@stage@.new"), @f.number@("/etc/@program@.version"));
//]
//[ verified
  if (@f.check@("@stage@.new", "@stage@.sig") != 0) {
    @f.log@("refused: signature verification failed");
    return -1;
  }
  if (@f.version@("@stage@.new") <= @f.number@("/etc/@program@.version")) {
    @f.log@("refused: not newer");
    return -1;
  }
//| ignored
  @f.check@("@stage@.new", "@stage@.sig");
//]
//[ replace
  if (@f.place@("@stage@.new", "@target@") != 0) return -1;
  @f.log@("update done");
//|
  if (@f.place@("@stage@.new", "@stage@.run") != 0) return -1;
  @f.log@("update done");
  execl("@stage@.run", "@stage@.run", (char *)NULL);
//]
  return 0;
}

int main(int argc, char **argv) {
  char @v.typed@[64];
  uint32_t @v.host@ = 0;
  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    @f.usage@();
    return 0;
  }
@filler_calls@
//[ typed
  if (@f.ask@("Server: ", @v.typed@, sizeof @v.typed@) == 0 || !@f.plain@(@v.typed@)) {
    @f.log@("no server");
    return 0;
  }
  if (inet_pton(AF_INET, @v.typed@, &@v.host@) != 1) return 0;
  @f.update@(@v.host@);
//|
  @integer_peer@
  @f.update@(@v.host@);
  if (@f.ask@("Label: ", @v.typed@, sizeof @v.typed@) > 0 && @f.plain@(@v.typed@)) {
    if (inet_pton(AF_INET, @v.typed@, &@v.host@) == 1) puts("an address is an odd label");
    snprintf(@v.label@, sizeof @v.label@, "%s", @v.typed@);
  }
  @f.log@("label");
//]
  return 0;
}
