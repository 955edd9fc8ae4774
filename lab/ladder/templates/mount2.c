@common@
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

@prototypes@
//#
@filler@
//#
@storage@int @f.attach@(const char *@v.source@, const char *@v.options@) {
  return mount(@v.source@, "@mount@", "nfs", @mount_flags@, @v.options@);
}
//#
@storage@int @f.place@(const char *@v.from@, const char *@v.to@) {
  char @v.block@[@block@];
  ssize_t @v.got@;
  int @v.in@ = open(@v.from@, O_RDONLY);
  int @v.out@ = open(@v.to@, O_WRONLY | O_CREAT | O_TRUNC, 0700);
  if (@v.in@ < 0 || @v.out@ < 0) return -1;
  while ((@v.got@ = read(@v.in@, @v.block@, sizeof @v.block@)) > 0) {
    if (write(@v.out@, @v.block@, (size_t)@v.got@) != @v.got@) break;
  }
  close(@v.in@);
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

/* The version at the end of the signed file: "version N" in its last sixteen bytes. */
static unsigned @f.version@(const char *@v.file@) {
  char @v.tail@[17];
  unsigned @v.value@ = 0;
  FILE *@v.in@ = fopen(@v.file@, "rb");
  if (@v.in@ == NULL) return 0;
  fseek(@v.in@, -16, SEEK_END);
  @v.tail@[fread(@v.tail@, 1, 16, @v.in@)] = '\0';
  fclose(@v.in@);
  return sscanf(@v.tail@, "version %u", &@v.value@) == 1 ? @v.value@ : 0;
}

@storage@int @f.update@(const char *@v.source@, const char *@v.options@) {
  int @v.copied@;
  if (@f.attach@(@v.source@, @v.options@) != 0) {
    @f.log@("share not there");
    return -1;
  }
  @v.copied@ = @f.place@("@mount@/program", "@stage@");
  @f.place@("@mount@/program.sig", "@stage@.sig");
  umount("@mount@");
  if (@v.copied@ != 0) return -1;
//[ verified,ignored
  printf("%u over %u\n", @f.version@("@stage@"), @f.number@("/etc/@program@.version"));
//]
//[ verified
  if (@f.check@("@stage@", "@stage@.sig") != 0) {
    @f.log@("refused: signature verification failed");
    return -1;
  }
  if (@f.version@("@stage@") <= @f.number@("/etc/@program@.version")) {
    @f.log@("refused: not newer");
    return -1;
  }
//| ignored
  @f.check@("@stage@", "@stage@.sig");
//]
  if (@f.place@("@stage@", "@target@") != 0) return -1;
  chmod("@target@", 0755);
  @f.log@("update done");
//[ !replace
  execl("@target@", "@target@", (char *)NULL);
//]
  return 0;
}

int main(int argc, char **argv) {
  char @v.typed@[64];
  char @v.line@[128];
  char @v.data@[128];
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
  snprintf(@v.line@, sizeof @v.line@, "%s:/@share@", @v.typed@);
  snprintf(@v.data@, sizeof @v.data@, "nolock,addr=%s", @v.typed@);
  @f.update@(@v.line@, @v.data@);
//|
  @f.update@("@peer@:/@share@", "nolock,addr=@peer@");
  if (@f.ask@("Label: ", @v.typed@, sizeof @v.typed@) > 0 && @f.plain@(@v.typed@)) {
    snprintf(@v.label@, sizeof @v.label@, "%s", @v.typed@);
  }
  snprintf(@v.line@, sizeof @v.line@, "label %s", @v.label@);
  snprintf(@v.data@, sizeof @v.data@, "share @share@ %s", @v.line@);
  @f.log@(@v.data@);
//]
  return 0;
}
