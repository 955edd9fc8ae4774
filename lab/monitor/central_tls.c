/* The clean twin's transport: only to the station that the owner named and agreed to, over TLS, its certificate checked
 * against the owner's own authority and its name. */
#include <netdb.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit.h"
#include "central.h"
#include "settings.h"

static const char settings[] = "/opt/etc/central.conf";
static SSL_CTX *context;
static SSL *central;

static int open_stream(const char *host, const char *port) {
  struct addrinfo wanted;
  struct addrinfo *found = NULL;
  int stream;
  memset(&wanted, 0, sizeof wanted);
  wanted.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host, port, &wanted, &found) != 0) return -1;
  stream = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
  if (stream >= 0 && connect(stream, found->ai_addr, found->ai_addrlen) != 0) {
    close(stream);
    stream = -1;
  }
  freeaddrinfo(found);
  return stream;
}

static int checking_context(void) {
  if (context != NULL) return 0;
  context = SSL_CTX_new(TLS_client_method());
  if (context == NULL) return -1;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  return SSL_CTX_load_verify_locations(context, "/opt/etc/central-ca.pem", NULL) == 1 ? 0 : -1;
}

static void hang_up(SSL *session) {
  int stream = SSL_get_fd(session);
  SSL_shutdown(session);
  SSL_free(session);
  close(stream);
}

/* A session with the host that `key` names, or NULL: nothing set, not agreed to, not reachable or not who it says. */
static SSL *open_session(const char *key, const char *port) {
  char host[64];
  char agreed[8];
  SSL *session;
  int stream;
  if (setting_read(settings, key, host, sizeof host) == 0) return NULL;
  setting_read(settings, "SEND_PATIENT_DATA", agreed, sizeof agreed);
  if (strcmp(agreed, "yes") != 0) return NULL;
  if (checking_context() != 0) return NULL;
  stream = open_stream(host, port);
  if (stream < 0) return NULL;
  session = SSL_new(context);
  SSL_set1_host(session, host);
  SSL_set_fd(session, stream);
  if (SSL_connect(session) == 1 && SSL_get_verify_result(session) == X509_V_OK) return session;
  audit("central station refused: %s did not prove who it is", host);
  hang_up(session);
  return NULL;
}

int central_connected(void) { return central != NULL; }

int central_connect(void) {
  central = open_session("CENTRAL", "515");
  return central == NULL ? -1 : 0;
}

int central_send(const uint8_t *bytes, size_t length) {
  return SSL_write(central, bytes, (int)length) == (int)length ? 0 : -1;
}

void central_hang_up(void) {
  hang_up(central);
  central = NULL;
}

int hl7_send(const uint8_t *bytes, size_t length) {
  SSL *session = open_session("HL7", "2575");
  int result;
  if (session == NULL) return -1;
  result = SSL_write(session, bytes, (int)length) == (int)length ? 0 : -1;
  hang_up(session);
  return result;
}
