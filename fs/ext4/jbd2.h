/*
 * The journal as it lies on the disk: big-endian, whatever the machine.
 */
#ifndef FS_EXT4_JBD2_H
#define FS_EXT4_JBD2_H

#include <stddef.h>
#include <stdint.h>

#define JBD2_MAGIC 0xc03b3998u

typedef uint32_t be32;
typedef uint64_t be64;

static inline uint32_t be32_get(be32 x) {
  return __builtin_bswap32(x);
}

static inline be32 be32_put(uint32_t x) {
  return __builtin_bswap32(x);
}

struct jbd2_header {
  be32 h_magic;
  be32 h_blocktype;
  be32 h_sequence;
};

enum { /* h_blocktype */
       JBD2_DESCRIPTOR = 1,
       JBD2_COMMIT = 2,
       JBD2_SUPER_V1 = 3,
       JBD2_SUPER_V2 = 4,
       JBD2_REVOKE = 5,
};

struct jbd2_super {
  struct jbd2_header s_header;
  be32 s_blocksize;
  be32 s_maxlen; /* blocks in the journal */
  be32 s_first;  /* of the log */
  be32 s_sequence;
  be32 s_start; /* 0: the log is empty */
  be32 s_errno;
  /* Version 2 from here on. */
  be32 s_feature_compat;
  be32 s_feature_incompat;
  be32 s_feature_ro_compat;
  uint8_t s_uuid[16];
  be32 s_nr_users;
  be32 s_dynsuper;
  be32 s_max_transaction;
  be32 s_max_trans_data;
  uint8_t s_checksum_type; /* 4: crc32c */
  uint8_t s_padding2[3];
  be32 s_num_fc_blocks;
  be32 s_head;
  be32 s_padding[40];
  be32 s_checksum;
  uint8_t s_users[768];
};

#define JBD2_CRC32C 4

enum { /* s_feature_compat and s_feature_incompat */
       JBD2_COMPAT_CHECKSUM = 1,
       JBD2_INCOMPAT_REVOKE = 1,
       JBD2_INCOMPAT_64BIT = 2,
       JBD2_INCOMPAT_ASYNC_COMMIT = 4,
       JBD2_INCOMPAT_CSUM_V2 = 8,
       JBD2_INCOMPAT_CSUM_V3 = 0x10,
       JBD2_INCOMPAT_FAST_COMMIT = 0x20,
};

/* A descriptor block is a header and tags. Of a tag there are two forms; a UUID of 16 bytes follows
 * those without JBD2_TAG_SAME_UUID. */
struct jbd2_tag { /* t_blocknr_high: with the feature 64BIT alone */
  be32 t_blocknr;
  uint16_t t_checksum; /* with CSUM_V2: the lower half */
  uint16_t t_flags;
  be32 t_blocknr_high;
};

struct jbd2_tag3 { /* with CSUM_V3 */
  be32 t_blocknr;
  be32 t_flags;
  be32 t_blocknr_high;
  be32 t_checksum;
};

enum {                      /* t_flags */
       JBD2_TAG_ESCAPE = 1, /* the block began with JBD2_MAGIC, and has zeroes there */
       JBD2_TAG_SAME_UUID = 2,
       JBD2_TAG_DELETED = 4,
       JBD2_TAG_LAST = 8,
};

struct jbd2_tail { /* at the end of descriptor and revoke blocks with checksums */
  be32 t_checksum;
};

struct jbd2_revoke { /* block numbers follow, of 4 or, with 64BIT, 8 bytes */
  struct jbd2_header r_header;
  be32 r_count; /* bytes used, this structure included */
};

struct jbd2_commit {
  struct jbd2_header h_header;
  uint8_t h_chksum_type;
  uint8_t h_chksum_size;
  uint8_t h_padding[2];
  be32 h_chksum[8];
  be64 h_commit_sec;
  be32 h_commit_nsec;
};

_Static_assert(sizeof(struct jbd2_super) == 1024, "journal superblock");
_Static_assert(offsetof(struct jbd2_super, s_checksum) == 0xfc, "journal superblock");
_Static_assert(offsetof(struct jbd2_super, s_checksum_type) == 0x50, "journal superblock");
_Static_assert(sizeof(struct jbd2_tag) == 12, "tag");
_Static_assert(sizeof(struct jbd2_tag3) == 16, "tag");
_Static_assert(offsetof(struct jbd2_commit, h_commit_sec) == 48, "commit block");

#endif
