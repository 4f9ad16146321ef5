# Turns musl's list of Linux system calls (bits/syscall.h.in) and ours (calls.list) into
#   -v want=header   the bits/syscall.h that libc itself is compiled with: SYS_name is the
#                    address of the function that answers the call
#   -v want=table    lines CALL(number, function) for the public syscall()
# Usage: awk -v want=… -f gen-calls.awk calls.list bits/syscall.h.in

FILENAME ~ /calls\.list$/ {
  if ($0 !~ /^#/ && NF) answer[$1] = NF > 1 ? $2 : $1
  next
}

/^#define[ \t]+__NR_/ {
  name = substr($2, 6)
  names[++count] = name
  number[name] = $3
}

END {
  answer[""] = "none"
  if (want == "table") {
    for (i = 1; i <= count; i++)
      if (names[i] in answer) printf "CALL(%s, %s)\n", number[names[i]], answer[names[i]]
    exit
  }
  print "typedef long __linux_call(long, long, long, long, long, long);"
  for (name in answer)
    if (!(answer[name] in declared)) {
      declared[answer[name]] = 1
      printf "__linux_call __linux_%s __attribute__((visibility(\"hidden\")%s));\n", answer[name],
        answer[name] ~ /^exit/ ? ", noreturn" : ""
    }
  for (i = 1; i <= count; i++)
    printf "#define SYS_%s ((long)__linux_%s)\n", names[i],
      (names[i] in answer) ? answer[names[i]] : "none"
}
