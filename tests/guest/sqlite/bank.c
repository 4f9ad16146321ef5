/*
 * A bank in an SQLite database that is cut off at any moment, again and again: {data: directory,
 * log: fd, mode: SQLite's journal mode, seed: int, threads: int, transactions: int (of each)}.
 *
 * At the start it checks what it finds: the database is whole, no money came or went, the ledger
 * has every transaction from 1 to the last one, and the blobs are what they were made from. But in
 * WAL mode, where SQLite does not promise it, a second database has the same transactions. It says
 * "found N transactions", makes more of them, and says "commit N" when the Nth has returned; who
 * watches it knows by that what has to be there the next time.
 */
#include <argdata.h>
#include <pthread.h>
#include <program.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../args.h"
#include "dirvfs.h"
#include "sqlite3.h"

#define THREADS_MAX 8
#define ACCOUNTS 200
#define BALANCE 1000 /* of each account at first */
#define BLOBS 40
#define BLOB_MAX 9000

/* Each thread has a connection of its own. */
static _Thread_local sqlite3 *db;
static _Thread_local uint64_t state; /* of the random numbers */
static const char *mode;
static bool audited; /* by a second database, in the same transactions */
static int log_fd, transactions;
static uint64_t seed;

static _Noreturn void fail(const char *what) {
  dprintf(log_fd, "bank: %s: %s\n", what, db == NULL ? "" : sqlite3_errmsg(db));
  exit(1);
}

static uint32_t random_below(uint32_t n) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33) % n;
}

/* ---- SQL ---- */

/* The statement with its integers bound. */
static sqlite3_stmt *prepare(const char *sql, int count, va_list values) {
  sqlite3_stmt *s;
  if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
    fail(sql);
  for (int i = 1; i <= count; i++)
    sqlite3_bind_int64(s, i, va_arg(values, int));
  return s;
}

static void run(const char *sql, int count, ...) {
  va_list values;
  va_start(values, count);
  sqlite3_stmt *s = prepare(sql, count, values);
  va_end(values);
  int code;
  while ((code = sqlite3_step(s)) == SQLITE_ROW) {
  }
  if (code != SQLITE_DONE)
    fail(sql);
  sqlite3_finalize(s);
}

/* The only value of the only row. */
static long value_of(const char *sql, int count, ...) {
  va_list values;
  va_start(values, count);
  sqlite3_stmt *s = prepare(sql, count, values);
  va_end(values);
  if (sqlite3_step(s) != SQLITE_ROW)
    fail(sql);
  long value = (long)sqlite3_column_int64(s, 0);
  sqlite3_finalize(s);
  return value;
}

/* ---- Blobs: their contents follow from the transaction that made them ---- */

static int blob_make(uint8_t *out, int made_by) {
  uint32_t x = (uint32_t)made_by * 2654435761u + 1;
  int len = (int)(x >> 8) % BLOB_MAX + 1;
  for (int i = 0; i < len; i++) {
    x = x * 1664525u + 1013904223u;
    out[i] = (uint8_t)(x >> 24);
  }
  return len;
}

static void blob_put(int id, int made_by) {
  uint8_t data[BLOB_MAX];
  sqlite3_stmt *s;
  int len = blob_make(data, made_by);
  if (sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?)", -1, &s, NULL) !=
      SQLITE_OK)
    fail("blobs");
  sqlite3_bind_int(s, 1, id);
  sqlite3_bind_int(s, 2, made_by);
  sqlite3_bind_blob(s, 3, data, len, SQLITE_STATIC);
  if (sqlite3_step(s) != SQLITE_DONE)
    fail("a blob can't be written");
  sqlite3_finalize(s);
}

static void blobs_check(void) {
  static uint8_t data[BLOB_MAX];
  sqlite3_stmt *s;
  if (sqlite3_prepare_v2(db, "SELECT made_by, data FROM blobs", -1, &s, NULL) != SQLITE_OK)
    fail("blobs");
  while (sqlite3_step(s) == SQLITE_ROW) {
    int len = blob_make(data, sqlite3_column_int(s, 0));
    if (sqlite3_column_bytes(s, 1) != len || memcmp(sqlite3_column_blob(s, 1), data, len) != 0)
      fail("a blob is not what was written");
  }
  sqlite3_finalize(s);
}

/* ---- The bank ---- */

static void make(void) {
  run("BEGIN", 0);
  run("CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, owner TEXT UNIQUE,"
      " balance INTEGER)",
      0);
  run("CREATE TABLE IF NOT EXISTS ledger (number INTEGER PRIMARY KEY, payer INTEGER,"
      " payee INTEGER, amount INTEGER)",
      0);
  run("CREATE INDEX IF NOT EXISTS ledger_payer ON ledger (payer, amount)", 0);
  run("CREATE TABLE IF NOT EXISTS blobs (id INTEGER PRIMARY KEY, made_by INTEGER, data BLOB)", 0);
  if (audited)
    run("CREATE TABLE IF NOT EXISTS audit.entries (number INTEGER PRIMARY KEY, amount INTEGER)", 0);
  if (value_of("SELECT count(*) FROM accounts", 0) == 0) {
    for (int i = 1; i <= ACCOUNTS; i++)
      run("INSERT INTO accounts VALUES (?1, 'owner of ' || (?1 * 7919 % 1000), ?2)", 2, i, BALANCE);
  }
  run("COMMIT", 0);
}

static void integrity_check(void) {
  sqlite3_stmt *s;
  if (sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL) != SQLITE_OK ||
      sqlite3_step(s) != SQLITE_ROW)
    fail("integrity_check");
  const char *text = (const char *)sqlite3_column_text(s, 0);
  if (strcmp(text, "ok") != 0)
    fail(text);
  sqlite3_finalize(s);
}

/* Returns the number of transactions. */
static int check(void) {
  integrity_check();
  if (value_of("SELECT sum(balance) FROM accounts", 0) != ACCOUNTS * BALANCE)
    fail("money came or went");
  long wrong = value_of(
      "SELECT count(*) FROM accounts a WHERE balance <> ?1"
      " - (SELECT coalesce(sum(amount), 0) FROM ledger WHERE payer = a.id)"
      " + (SELECT coalesce(sum(amount), 0) FROM ledger WHERE payee = a.id)",
      1, BALANCE);
  if (wrong != 0)
    fail("an account is not what the ledger says");
  blobs_check();
  long count = value_of("SELECT count(*) FROM ledger", 0);
  if (count != value_of("SELECT coalesce(max(number), 0) FROM ledger", 0))
    fail("the ledger has a gap");
  if (audited &&
      value_of("SELECT count(*) FROM audit.entries JOIN ledger USING (number, amount)", 0) != count)
    fail("the audit has fewer transactions than the ledger");
  if (audited && value_of("SELECT count(*) FROM audit.entries", 0) != count)
    fail("the audit has more transactions than the ledger");
  return (int)count;
}

/* One transfer, with some blobs made and removed beside it. */
static void transfer(int number) {
  int payer = 1 + (int)random_below(ACCOUNTS), payee = 1 + (int)random_below(ACCOUNTS);
  int amount = (int)random_below(100);
  run("UPDATE accounts SET balance = balance - ?2 WHERE id = ?1", 2, payer, amount);
  run("UPDATE accounts SET balance = balance + ?2 WHERE id = ?1", 2, payee, amount);
  run("INSERT INTO ledger VALUES (?, ?, ?, ?)", 4, number, payer, payee, amount);
  if (audited)
    run("INSERT INTO audit.entries VALUES (?, ?)", 2, number, amount);
  for (uint32_t n = random_below(3); n > 0; n--)
    blob_put((int)random_below(BLOBS), number);
  if (random_below(4) == 0)
    run("DELETE FROM blobs WHERE id = ?", 1, (int)random_below(BLOBS));
}

static int next_number(void) {
  return (int)value_of("SELECT coalesce(max(number), 0) + 1 FROM ledger", 0);
}

static void transaction(void) {
  run("BEGIN IMMEDIATE", 0);
  if (random_below(5) == 0) { /* one that is taken back */
    transfer(next_number());
    run("ROLLBACK", 0);
    run("BEGIN IMMEDIATE", 0);
  }
  int number = next_number();
  transfer(number);
  run("COMMIT", 0);
  dprintf(log_fd, "commit %d\n", number);
  if (random_below(25) == 0)
    run("VACUUM", 0);
}

static void configure(const char *database) {
  char sql[64];
  snprintf(sql, sizeof sql, "PRAGMA %s.journal_mode=%s", database, mode);
  run(sql, 0);
  snprintf(sql, sizeof sql, "PRAGMA %s.synchronous=EXTRA", database);
  run(sql, 0);
}

static void connect(void) {
  if (sqlite3_open("bank.db", &db) != SQLITE_OK)
    fail("the database can't be opened");
  sqlite3_busy_timeout(db, 100000);
  configure("main");
  if (audited) {
    run("ATTACH 'audit.db' AS audit", 0);
    configure("audit");
  }
  run("PRAGMA wal_autocheckpoint=60", 0);
  run("PRAGMA cache_size=10", 0); /* pages: so some are written before the commit */
  run("PRAGMA mmap_size=100000", 0);
}

static void disconnect(void) {
  if (sqlite3_close(db) != SQLITE_OK)
    fail("the database can't be closed");
}

static void *teller(void *number) {
  connect();
  state = seed + *(int *)number;
  for (int i = 0; i < transactions; i++)
    transaction();
  disconnect();
  return NULL;
}

static void open_for_business(int threads) {
  pthread_t thread[THREADS_MAX];
  int number[THREADS_MAX];
  for (int i = 0; i < threads; i++) {
    number[i] = i;
    if (pthread_create(&thread[i], NULL, teller, &number[i]) != 0)
      fail("no thread");
  }
  for (int i = 0; i < threads; i++)
    pthread_join(thread[i], NULL);
}

void program_main(const argdata_t *ad) {
  int threads = arg_int(ad, "threads");
  log_fd = arg_fd(ad, "log");
  mode = arg_str(ad, "mode");
  audited = strcmp(mode, "wal") != 0;
  transactions = arg_int(ad, "transactions");
  if (dirvfs_register("data", arg_fd(ad, "data")) != SQLITE_OK || threads > THREADS_MAX)
    fail("SQLite does not start");
  dprintf(log_fd, "opening\n");
  connect();
  make();
  int found = check();
  dprintf(log_fd, "found %d transactions\n", found);
  seed = ((uint64_t)arg_int(ad, "seed") << 48) + ((uint64_t)found << 16);
  open_for_business(threads);
  if (check() != found + threads * transactions)
    fail("the last transactions are missing");
  disconnect();
  dprintf(log_fd, "closed with %d transactions\n", found + threads * transactions);
}
