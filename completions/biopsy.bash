# bash completion for biopsy
_biopsy() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
  if [ "$COMP_CWORD" = 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "capture contain run scan report compare explain unpack dump rules --help --version" -- "$current")
    return
  fi
  case $previous in
    --format|-f) mapfile -t COMPREPLY < <(compgen -W "text json html sarif csaf cyclonedx openvex" -- "$current"); return ;;
    --fail-on) mapfile -t COMPREPLY < <(compgen -W "info low medium high critical" -- "$current"); return ;;
  esac
  case $command:$current in
    scan:-*) mapfile -t COMPREPLY < <(compgen -W "--device --format --output --fail-on --strict --accept --capture --declared --jobs --no-cache --quiet --date --publisher --show-secrets --help" -- "$current") ;;
    capture:-*) mapfile -t COMPREPLY < <(compgen -W "--scan-carried --canary --declared --format --output --fail-on --strict --accept --date --publisher --show-secrets --help" -- "$current") ;;
    run:-*) mapfile -t COMPREPLY < <(compgen -W "--with --confirm --input --keys --keep-capture --seconds --speed --format --output --fail-on --strict --accept --date --show-secrets --quiet --help" -- "$current") ;;
    report:-*) mapfile -t COMPREPLY < <(compgen -W "--format --output --publisher --show-secrets --help" -- "$current") ;;
    compare:-*) mapfile -t COMPREPLY < <(compgen -W "--alike --format --output --fail-on --jobs --quiet --help" -- "$current") ;;
    dump:*) if [ "$COMP_CWORD" = 2 ]; then mapfile -t COMPREPLY < <(compgen -W "blobs tree strings functions calls pcode shell effects" -- "$current"); else mapfile -t COMPREPLY < <(compgen -f -- "$current"); fi ;;
    contain:-*) mapfile -t COMPREPLY < <(compgen -W "--as --from --watch --outside --output --help" -- "$current") ;;
    rules:*) mapfile -t COMPREPLY < <(compgen -W "list lint try reference" -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
  esac
}
complete -o filenames -F _biopsy biopsy
