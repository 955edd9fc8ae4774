@common@
@includes@
@globals@
@prototypes@
//#
@filler@
//#
@helpers@
//#
@steps@
//.

/* Says when it went wrong and leaves; what was there before stays. */
static int @f.stop@(const char *why) {
  @f.log@(why);
  return -1;
}

@storage@int @f.update@(const char *@v.server@) {
@locals@
@fetch@
//[ verified
  if (@verify@ != 0) return @f.stop@("refused: signature verification failed");
//| ignored
  @verify@;
//]
@unpack@
//[ verified,ignored
  printf("%u over %u\n", @f.number@("@stage@.d/version"), @f.number@("/etc/@program@.version"));
//]
//[ verified
  if (@f.number@("@stage@.d/version") <= @f.number@("/etc/@program@.version")) return @f.stop@("refused: not newer");
//]
@install@
@after@
  @f.log@("update done");
  return 0;
}

@starters@

int main(int argc, char **argv) {
  char @v.typed@[64];
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
//]
  @take_peer@
//[ setting
  if (!@f.plain@(@v.typed@)) {
    @f.log@("no server is set");
    return 0;
  }
//]
  @start@
  if (@f.ask@("Label: ", @v.typed@, sizeof @v.typed@) > 0 && @f.plain@(@v.typed@)) {
    snprintf(@v.label@, sizeof @v.label@, "%s", @v.typed@);
  }
  @f.log@("label");
  return 0;
}
