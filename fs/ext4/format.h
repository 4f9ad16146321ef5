/*
 * ext4 as it lies on the disk: structures, numbers, and the features that exist. Little-endian,
 * like the machines that this runs on. The names are those of the format's documentation.
 */
#ifndef FS_EXT4_FORMAT_H
#define FS_EXT4_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define EXT4_SUPER_OFFSET 1024 /* bytes from the start of the disk, whatever the block size */
#define EXT4_SUPER_MAGIC 0xef53
#define EXT4_BLOCK_BYTES_MIN 1024
#define EXT4_BLOCK_BYTES_MAX 4096 /* a block is never larger than a page */
#define EXT4_ROOT_INO 2
#define EXT4_JOURNAL_INO 8
#define EXT4_FIRST_INO_OLD 11 /* of revision 0 */
#define EXT4_LINKS_MAX 65000

struct ext4_super {
  uint32_t s_inodes_count;
  uint32_t s_blocks_count_lo;
  uint32_t s_r_blocks_count_lo;
  uint32_t s_free_blocks_count_lo;
  uint32_t s_free_inodes_count;
  uint32_t s_first_data_block;
  uint32_t s_log_block_size; /* 1024 << this */
  uint32_t s_log_cluster_size;
  uint32_t s_blocks_per_group;
  uint32_t s_clusters_per_group;
  uint32_t s_inodes_per_group;
  uint32_t s_mtime;
  uint32_t s_wtime;
  uint16_t s_mnt_count;
  uint16_t s_max_mnt_count;
  uint16_t s_magic;
  uint16_t s_state;
  uint16_t s_errors;
  uint16_t s_minor_rev_level;
  uint32_t s_lastcheck;
  uint32_t s_checkinterval;
  uint32_t s_creator_os;
  uint32_t s_rev_level;
  uint16_t s_def_resuid;
  uint16_t s_def_resgid;
  uint32_t s_first_ino;
  uint16_t s_inode_size;
  uint16_t s_block_group_nr;
  uint32_t s_feature_compat;
  uint32_t s_feature_incompat;
  uint32_t s_feature_ro_compat;
  uint8_t s_uuid[16];
  char s_volume_name[16];
  char s_last_mounted[64];
  uint32_t s_algorithm_usage_bitmap;
  uint8_t s_prealloc_blocks;
  uint8_t s_prealloc_dir_blocks;
  uint16_t s_reserved_gdt_blocks;
  uint8_t s_journal_uuid[16];
  uint32_t s_journal_inum;
  uint32_t s_journal_dev;
  uint32_t s_last_orphan;
  uint32_t s_hash_seed[4];
  uint8_t s_def_hash_version;
  uint8_t s_jnl_backup_type;
  uint16_t s_desc_size;
  uint32_t s_default_mount_opts;
  uint32_t s_first_meta_bg;
  uint32_t s_mkfs_time;
  uint32_t s_jnl_blocks[17];
  uint32_t s_blocks_count_hi;
  uint32_t s_r_blocks_count_hi;
  uint32_t s_free_blocks_count_hi;
  uint16_t s_min_extra_isize;
  uint16_t s_want_extra_isize;
  uint32_t s_flags;
  uint16_t s_raid_stride;
  uint16_t s_mmp_interval;
  uint64_t s_mmp_block;
  uint32_t s_raid_stripe_width;
  uint8_t s_log_groups_per_flex;
  uint8_t s_checksum_type; /* 1: crc32c */
  uint16_t s_reserved_pad;
  uint64_t s_kbytes_written;
  uint32_t s_snapshot_inum;
  uint32_t s_snapshot_id;
  uint64_t s_snapshot_r_blocks_count;
  uint32_t s_snapshot_list;
  uint32_t s_error_count;
  uint32_t s_first_error_time;
  uint32_t s_first_error_ino;
  uint64_t s_first_error_block;
  uint8_t s_first_error_func[32];
  uint32_t s_first_error_line;
  uint32_t s_last_error_time;
  uint32_t s_last_error_ino;
  uint32_t s_last_error_line;
  uint64_t s_last_error_block;
  uint8_t s_last_error_func[32];
  uint8_t s_mount_opts[64];
  uint32_t s_usr_quota_inum;
  uint32_t s_grp_quota_inum;
  uint32_t s_overhead_blocks;
  uint32_t s_backup_bgs[2];
  uint8_t s_encrypt_algos[4];
  uint8_t s_encrypt_pw_salt[16];
  uint32_t s_lpf_ino;
  uint32_t s_prj_quota_inum;
  uint32_t s_checksum_seed;
  uint8_t s_wtime_hi;
  uint8_t s_mtime_hi;
  uint8_t s_mkfs_time_hi;
  uint8_t s_lastcheck_hi;
  uint8_t s_first_error_time_hi;
  uint8_t s_last_error_time_hi;
  uint8_t s_first_error_errcode;
  uint8_t s_last_error_errcode;
  uint16_t s_encoding;
  uint16_t s_encoding_flags;
  uint32_t s_orphan_file_inum;
  uint32_t s_reserved[94];
  uint32_t s_checksum;
};

enum { /* s_state */
       EXT4_STATE_CLEAN = 1,
       EXT4_STATE_ERROR = 2,
       EXT4_STATE_ORPHANS = 4,
};

enum { /* s_flags */
       EXT4_FLAG_SIGNED_HASH = 1,
       EXT4_FLAG_UNSIGNED_HASH = 2,
};

enum { /* s_feature_compat: whoever doesn't know one may mount and write */
       EXT4_COMPAT_HAS_JOURNAL = 0x4,
       EXT4_COMPAT_EXT_ATTR = 0x8,
       EXT4_COMPAT_RESIZE_INODE = 0x10,
       EXT4_COMPAT_DIR_INDEX = 0x20,
       EXT4_COMPAT_SPARSE_SUPER2 = 0x200,
       EXT4_COMPAT_ORPHAN_FILE = 0x1000,
};

enum { /* s_feature_incompat: whoever doesn't know one may not mount */
       EXT4_INCOMPAT_COMPRESSION = 0x1,
       EXT4_INCOMPAT_FILETYPE = 0x2,
       EXT4_INCOMPAT_RECOVER = 0x4,
       EXT4_INCOMPAT_JOURNAL_DEV = 0x8,
       EXT4_INCOMPAT_META_BG = 0x10,
       EXT4_INCOMPAT_EXTENTS = 0x40,
       EXT4_INCOMPAT_64BIT = 0x80,
       EXT4_INCOMPAT_MMP = 0x100,
       EXT4_INCOMPAT_FLEX_BG = 0x200,
       EXT4_INCOMPAT_EA_INODE = 0x400,
       EXT4_INCOMPAT_DIRDATA = 0x1000,
       EXT4_INCOMPAT_CSUM_SEED = 0x2000,
       EXT4_INCOMPAT_LARGEDIR = 0x4000,
       EXT4_INCOMPAT_INLINE_DATA = 0x8000,
       EXT4_INCOMPAT_ENCRYPT = 0x10000,
       EXT4_INCOMPAT_CASEFOLD = 0x20000,
};

enum { /* s_feature_ro_compat: whoever doesn't know one may not write */
       EXT4_RO_SPARSE_SUPER = 0x1,
       EXT4_RO_LARGE_FILE = 0x2,
       EXT4_RO_HUGE_FILE = 0x8,
       EXT4_RO_GDT_CSUM = 0x10,
       EXT4_RO_DIR_NLINK = 0x20,
       EXT4_RO_EXTRA_ISIZE = 0x40,
       EXT4_RO_QUOTA = 0x100,
       EXT4_RO_BIGALLOC = 0x200,
       EXT4_RO_METADATA_CSUM = 0x400,
       EXT4_RO_READONLY = 0x1000,
       EXT4_RO_PROJECT = 0x2000,
       EXT4_RO_VERITY = 0x8000,
       EXT4_RO_ORPHAN_PRESENT = 0x10000,
};

/* A group descriptor: 32 bytes, or 64 with the 64bit feature. */
struct ext4_group {
  uint32_t bg_block_bitmap_lo;
  uint32_t bg_inode_bitmap_lo;
  uint32_t bg_inode_table_lo;
  uint16_t bg_free_blocks_count_lo;
  uint16_t bg_free_inodes_count_lo;
  uint16_t bg_used_dirs_count_lo;
  uint16_t bg_flags;
  uint32_t bg_exclude_bitmap_lo;
  uint16_t bg_block_bitmap_csum_lo;
  uint16_t bg_inode_bitmap_csum_lo;
  uint16_t bg_itable_unused_lo;
  uint16_t bg_checksum;
  uint32_t bg_block_bitmap_hi;
  uint32_t bg_inode_bitmap_hi;
  uint32_t bg_inode_table_hi;
  uint16_t bg_free_blocks_count_hi;
  uint16_t bg_free_inodes_count_hi;
  uint16_t bg_used_dirs_count_hi;
  uint16_t bg_itable_unused_hi;
  uint32_t bg_exclude_bitmap_hi;
  uint16_t bg_block_bitmap_csum_hi;
  uint16_t bg_inode_bitmap_csum_hi;
  uint32_t bg_reserved;
};

enum { /* bg_flags */
       EXT4_GROUP_INODE_UNINIT = 1,
       EXT4_GROUP_BLOCK_UNINIT = 2,
       EXT4_GROUP_INODE_ZEROED = 4,
};

#define EXT4_INODE_BLOCKS 15 /* words in i_block */

struct ext4_inode {
  uint16_t i_mode;
  uint16_t i_uid;
  uint32_t i_size_lo;
  uint32_t i_atime;
  uint32_t i_ctime;
  uint32_t i_mtime;
  uint32_t i_dtime; /* or the next inode of the orphan list */
  uint16_t i_gid;
  uint16_t i_links_count;
  uint32_t i_blocks_lo; /* 512-byte sectors, or blocks with EXT4_HUGE_FILE_FL */
  uint32_t i_flags;
  uint32_t i_version_lo;
  uint32_t i_block[EXT4_INODE_BLOCKS];
  uint32_t i_generation;
  uint32_t i_file_acl_lo;
  uint32_t i_size_high;
  uint32_t i_obso_faddr;
  uint16_t i_blocks_high;
  uint16_t i_file_acl_high;
  uint16_t i_uid_high;
  uint16_t i_gid_high;
  uint16_t i_checksum_lo;
  uint16_t i_reserved;
  /* Beyond the first 128 bytes, as far as i_extra_isize says. */
  uint16_t i_extra_isize;
  uint16_t i_checksum_hi;
  uint32_t i_ctime_extra; /* nanoseconds << 2 | epoch */
  uint32_t i_mtime_extra;
  uint32_t i_atime_extra;
  uint32_t i_crtime;
  uint32_t i_crtime_extra;
  uint32_t i_version_hi;
  uint32_t i_projid;
};

#define EXT4_INODE_BYTES_OLD 128

enum { /* i_mode */
       EXT4_S_IFIFO = 0x1000,
       EXT4_S_IFCHR = 0x2000,
       EXT4_S_IFDIR = 0x4000,
       EXT4_S_IFBLK = 0x6000,
       EXT4_S_IFREG = 0x8000,
       EXT4_S_IFLNK = 0xa000,
       EXT4_S_IFSOCK = 0xc000,
       EXT4_S_IFMT = 0xf000,
};

enum { /* i_flags */
       EXT4_IMMUTABLE_FL = 0x10,
       EXT4_APPEND_FL = 0x20,
       EXT4_INDEX_FL = 0x1000,
       EXT4_HUGE_FILE_FL = 0x40000,
       EXT4_EXTENTS_FL = 0x80000,
       EXT4_EA_INODE_FL = 0x200000,
       EXT4_INLINE_DATA_FL = 0x10000000,
};

/* Extent trees: i_block begins with a header, as every block of the tree does. */
#define EXT4_EXTENT_MAGIC 0xf30a
#define EXT4_EXTENT_DEPTH_MAX 5
#define EXT4_EXTENT_BLOCKS_MAX 32768 /* in one extent; greater lengths mean unwritten */

struct ext4_extent_header {
  uint16_t eh_magic;
  uint16_t eh_entries;
  uint16_t eh_max;
  uint16_t eh_depth; /* 0: a leaf */
  uint32_t eh_generation;
};

struct ext4_extent { /* in a leaf */
  uint32_t ee_block; /* first block of the file */
  uint16_t ee_len;
  uint16_t ee_start_hi;
  uint32_t ee_start_lo;
};

struct ext4_extent_index { /* in an inner node */
  uint32_t ei_block;
  uint32_t ei_leaf_lo;
  uint16_t ei_leaf_hi;
  uint16_t ei_unused;
};

struct ext4_extent_tail { /* behind the eh_max entries of a block */
  uint32_t et_checksum;
};

/* Directories. */
#define EXT4_NAME_MAX 255
#define EXT4_DIR_TAIL_TYPE 0xde

struct ext4_dir_entry {
  uint32_t inode; /* 0: unused */
  uint16_t rec_len;
  uint8_t name_len;
  uint8_t file_type; /* with the filetype feature */
  char name[];
};

struct ext4_dir_tail { /* the last entry of a leaf with checksums */
  uint32_t det_reserved_zero1;
  uint16_t det_rec_len; /* 12 */
  uint8_t det_reserved_zero2;
  uint8_t det_reserved_ft; /* EXT4_DIR_TAIL_TYPE */
  uint32_t det_checksum;
};

enum { /* file_type */
       EXT4_FT_UNKNOWN = 0,
       EXT4_FT_REG_FILE = 1,
       EXT4_FT_DIR = 2,
       EXT4_FT_CHRDEV = 3,
       EXT4_FT_BLKDEV = 4,
       EXT4_FT_FIFO = 5,
       EXT4_FT_SOCK = 6,
       EXT4_FT_SYMLINK = 7,
};

enum { /* dx_info.hash_version */
       EXT4_HASH_LEGACY = 0,
       EXT4_HASH_HALF_MD4 = 1,
       EXT4_HASH_TEA = 2,
       EXT4_HASH_LEGACY_UNSIGNED = 3,
       EXT4_HASH_HALF_MD4_UNSIGNED = 4,
       EXT4_HASH_TEA_UNSIGNED = 5,
};

struct ext4_dx_info { /* in the root block, behind "." and ".." */
  uint32_t reserved_zero;
  uint8_t hash_version;
  uint8_t info_length; /* 8 */
  uint8_t indirect_levels;
  uint8_t unused_flags;
};

struct ext4_dx_entry {
  uint32_t hash; /* of the first one of a block: instead of it limit and count, 16 bits each */
  uint32_t block;
};

struct ext4_dx_tail {
  uint32_t dt_reserved;
  uint32_t dt_checksum;
};

struct ext4_xattr_header { /* a block of attributes begins with */
  uint32_t h_magic;
  uint32_t h_refcount;
  uint32_t h_blocks;
  uint32_t h_hash;
  uint32_t h_checksum;
  uint32_t h_reserved[3];
};

_Static_assert(sizeof(struct ext4_super) == 1024, "superblock");
_Static_assert(offsetof(struct ext4_super, s_journal_uuid) == 0xd0, "superblock");
_Static_assert(offsetof(struct ext4_super, s_jnl_blocks) == 0x10c, "superblock");
_Static_assert(offsetof(struct ext4_super, s_kbytes_written) == 0x178, "superblock");
_Static_assert(offsetof(struct ext4_super, s_mount_opts) == 0x200, "superblock");
_Static_assert(offsetof(struct ext4_super, s_checksum_seed) == 0x270, "superblock");
_Static_assert(offsetof(struct ext4_super, s_checksum) == 0x3fc, "superblock");
_Static_assert(sizeof(struct ext4_group) == 64, "group descriptor");
_Static_assert(offsetof(struct ext4_inode, i_extra_isize) == 128, "inode");
_Static_assert(sizeof(struct ext4_inode) == 160, "inode");
_Static_assert(sizeof(struct ext4_extent_header) == 12, "extent header");
_Static_assert(sizeof(struct ext4_extent) == 12, "extent");
_Static_assert(sizeof(struct ext4_extent_index) == 12, "extent index");
_Static_assert(sizeof(struct ext4_dir_entry) == 8, "directory entry");
_Static_assert(sizeof(struct ext4_dir_tail) == 12, "directory tail");

#endif
