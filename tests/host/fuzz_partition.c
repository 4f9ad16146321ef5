// sources: fs/partition.c fs/gpt.c kernel/blkdev.c kernel/bh.c kernel/printf.c
// sources: arch/host/blkfile.c arch/host/waits.c
/*
 * Partition tables from anyone: reading them ends, and partitions lie on the disk and apart.
 *
 * Inputs: the first byte's low two bits say what the others are: 0 the beginning of a disk; 1 the
 * same, and its GPT headers' checksums are made right; 2, 3 changes to a good table, three bytes
 * each (an offset into the blocks that matter, and the byte to be there), after which checksums are
 * made right (2) or not. The next bit chooses blocks of 4096 bytes.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "fs/partition.h"
#include "kernel/heap.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "arch/host/blkfile.h"
#include "tests/host/gpt_make.h"

#define SIZE (256u << 10)

enum log_level log_max = LOG_ERROR;

void log_printf(enum log_level level, const char *format, ...) {
  char line[256];
  va_list ap;
  (void)level;
  va_start(ap, format);
  vsnprintf(line, sizeof line, format, ap);
  va_end(ap);
}

void *kmalloc(size_t size) {
  return malloc(size);
}

void *kzalloc(size_t size) {
  return calloc(1, size);
}

void kfree(void *p) {
  free(p);
}

void *page_alloc_zero(unsigned order) {
  (void)order;
  return NULL;
}

void page_free(void *page, unsigned order) {
  (void)page;
  (void)order;
}

static void check(const struct partition_table *table, const struct blkdev *disk) {
  assert(table->count <= PARTITIONS_MAX);
  for (unsigned i = 0; i < table->count; i++) {
    const struct blkdev *a = &table->partitions[i]->dev;
    assert(a->size_bytes > 0 && a->size_bytes <= disk->size_bytes);
    assert(a->start_bytes <= disk->size_bytes - a->size_bytes);
    assert((a->start_bytes | a->size_bytes) % disk->block_bytes == 0);
    assert(strlen(table->partitions[i]->label) <= PARTITION_LABEL_MAX);
    for (unsigned k = 0; k < i; k++) {
      const struct blkdev *b = &table->partitions[k]->dev;
      assert(a->start_bytes + a->size_bytes <= b->start_bytes ||
             b->start_bytes + b->size_bytes <= a->start_bytes);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t image[SIZE];
  struct blkfile disk;
  struct partition_table *table = NULL;
  if (size == 0 || size > SIZE)
    return 0;
  uint8_t how = *data++;
  size--;
  uint32_t block = how & 4 ? 4096 : 512;
  memset(image, 0, SIZE);
  if ((how & 3) < 2)
    memcpy(image, data, size);
  else
    gpt_make(image, SIZE, block);
  for (size_t i = 0; (how & 3) >= 2 && i + 3 <= size; i += 3) {
    size_t at = (size_t)(data[i] << 8 | data[i + 1]) % (7 * block);
    image[at < 3 * block ? at : SIZE - 7 * block + at] = data[i + 2];
  }
  if ((how & 3) == 1 || (how & 3) == 2) {
    gpt_seal(image, SIZE, block, 1);
    gpt_seal(image, SIZE, block, SIZE / block - 1);
  }
  blkfile_memory(&disk, image, SIZE);
  disk.disk.block_bytes = block;
  if (partition_scan(&disk.disk, &table) == 0)
    check(table, &disk.disk);
  partition_table_free(table);
  return 0;
}
