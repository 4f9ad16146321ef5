# Turns the one list of system calls (abi/syscalls.def) into <cloudabi_syscalls.h>.

BEGIN {
  print "/* CloudABI's system calls, as C functions. Written by gen-syscalls.awk. */"
  print "#ifndef CLOUDABI_SYSCALLS_H"
  print "#define CLOUDABI_SYSCALLS_H\n"
  print "#include <cloudabi_types.h>\n"
  print "#ifdef __cplusplus\nextern \"C\" {\n#endif\n"
}

function emit(text,  n, part, i, type, args, result) {
  sub(/^SYSCALL[0-9]\(/, "", text)
  sub(/\)$/, "", text)
  n = split(text, part, / *, */)
  for (i = 2; i < n; i += 2) {
    type = part[i]
    if (type ~ /struct /)
      sub(/struct /, "struct cloudabi_", type)
    else if (type !~ /^(const )?(size_t|char|void)( |$)/)
      sub(/[a-z_0-9]+_t/, "cloudabi_&", type)
    args = args (args == "" ? "" : ", ") type (type ~ /\*$/ ? "" : " ") part[i + 1]
  }
  result = "cloudabi_errno_t"
  if (part[1] ~ /^(proc|thread)_exit$/) result = "__attribute__((__noreturn__)) void"
  printf "%s cloudabi_sys_%s(%s);\n", result, part[1],
    args == "" ? "void" : args
}

/^SYSCALL[0-9]\(/ { collecting = 1; text = "" }
collecting {
  line = $0
  sub(/^ +/, " ", line)
  text = text line
  if (line ~ /\)$/) {
    collecting = 0
    emit(text)
  }
}

END { print "\n#ifdef __cplusplus\n}\n#endif\n\n#endif" }
