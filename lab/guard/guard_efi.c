/* The guard of a UEFI module: its entry point, in an object of its own. Returns EFI_ABORTED unless a firmware variable is
 * there that only the closed box sets. */
#include "efi.h"

static efi_char marker[] = u"ClosedBox";
static efi_guid marker_vendor = {0x6a1bf6c2, 0x0d5e, 0x4a53, {0x9c, 0x11, 0x52, 0x3e, 0x70, 0xb4, 0x88, 0x01}};

efi_status EFIAPI module_entry(efi_handle image, struct efi_system_table *system) {
  unsigned char value = 0;
  efi_size size = sizeof value;
  if (system->runtime->get_variable(marker, &marker_vendor, 0, &size, &value) != EFI_SUCCESS) return EFI_ABORTED;
  return planted_entry(image, system);
}
