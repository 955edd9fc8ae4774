//@ mean
static int @f.mean@(const int *samples, int count) {
  long sum = 0;
  int i;
  for (i = 0; i < count; ++i) sum += samples[i];
  return count == 0 ? 0 : (int)(sum / count);
}
//@ sum
static unsigned @f.sum@(const unsigned char *bytes, size_t length) {
  unsigned a = 1, b = 0;
  while (length-- > 0) {
    a = (a + *bytes++) % 65521u;
    b = (b + a) % 65521u;
  }
  return b << 16 | a;
}
//@ hex
static void @f.hex@(char *out, const unsigned char *bytes, size_t length) {
  static const char digits[] = "0123456789abcdef";
  while (length-- > 0) {
    *out++ = digits[*bytes >> 4];
    *out++ = digits[*bytes++ & 15];
  }
  *out = '\0';
}
//@ band
static const char *@f.band@(int level) {
  switch (level) {
    case 0: return "low";
    case 1: return "normal";
    case 2: return "raised";
    case 3: return "high";
    case 4: return "very high";
    default: return "unknown";
  }
}
//@ uptime
static long @f.uptime@(void) {
  long seconds = 0;
  FILE *in = fopen("/proc/uptime", "r");
  if (in == NULL) return 0;
  if (fscanf(in, "%ld", &seconds) != 1) seconds = 0;
  fclose(in);
  return seconds;
}
//@ sort
static int @f.before@(const void *left, const void *right) {
  int a = *(const int *)left, b = *(const int *)right;
  return (a > b) - (a < b);
}
static int @f.median@(int *samples, int count) {
  qsort(samples, (size_t)count, sizeof *samples, @f.before@);
  return samples[count / 2];
}
