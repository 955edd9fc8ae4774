/* As much of the UEFI specification 2.10 as the module uses (sections 4.3, 4.4, 4.5, 8.2). */
#ifndef EFI_H
#define EFI_H
#include <stdint.h>

#define EFIAPI __attribute__((ms_abi))
#define EFI_ERROR_BIT 0x8000000000000000ull
#define EFI_SUCCESS 0ull
#define EFI_ABORTED (EFI_ERROR_BIT | 21)

typedef uint64_t efi_status;
typedef uint64_t efi_size;
typedef void *efi_handle;
typedef uint16_t efi_char;
typedef struct {
  uint32_t a;
  uint16_t b, c;
  uint8_t d[8];
} efi_guid;

struct efi_table_header {
  uint64_t signature;
  uint32_t revision, size, crc32, reserved;
};

struct efi_boot_services {
  struct efi_table_header header;
  void *raise_tpl, *restore_tpl, *allocate_pages, *free_pages, *get_memory_map;
  efi_status(EFIAPI *allocate_pool)(int type, efi_size size, void **out);
  void *other[31];
  efi_status(EFIAPI *locate_protocol)(efi_guid *protocol, void *registration, void **out);
};

struct efi_runtime_services {
  struct efi_table_header header;
  void *time[4];
  void *memory[2];
  efi_status(EFIAPI *get_variable)(efi_char *name, efi_guid *vendor, uint32_t *attributes, efi_size *size, void *data);
};

struct efi_system_table {
  struct efi_table_header header;
  efi_char *vendor;
  uint32_t revision;
  efi_handle in_handle;
  void *in;
  efi_handle out_handle;
  void *out;
  efi_handle error_handle;
  void *error;
  struct efi_runtime_services *runtime;
  struct efi_boot_services *boot;
};

struct acpi_table_protocol {
  efi_status(EFIAPI *install)(struct acpi_table_protocol *self, void *table, efi_size size, efi_size *key);
};

efi_status planted_entry(efi_handle image, struct efi_system_table *system);

#endif
