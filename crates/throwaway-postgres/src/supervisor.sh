# Runs initdb and postgres for one temporary server, and cleans up when its standard input closes:
# that happens however the process at the other end dies.
#
# Arguments: the server's folder, the folder of the binaries, then the options of initdb.
# Orders come one a line: `initdb`, `start PORT`, `stop SIGNAL`. Each is answered by one line with a number.
folder=$1
bin=$2
shift 2
postmaster=

clean_up() {
    trap '' TERM
    if [ -n "$postmaster" ]; then
        # A shell starts background jobs with QUIT ignored, so before the postmaster has set its
        # handlers only TERM ends it; after that TERM asks it to wait for clients, and QUIT does not.
        kill -TERM "$postmaster"
        kill -QUIT "$postmaster"
        wait "$postmaster"
    fi
    cd /
    # A killed postmaster leaves its lock file, whose seventh line ends with the id of a segment of
    # shared memory that nobody else would remove.
    segment=$(sed -n '7s/^.* //p' "$folder/data/postmaster.pid")
    [ -n "$segment" ] && ipcrm -m "$segment"
    # Children of a killed postmaster may still be writing, and volumes that a test mounted there be about to go.
    for _ in $(seq 25); do
        rm -rf "$folder" && break
        sleep 0.2
    done
}

# Ctrl-C and a closed terminal are not for us: the closed pipe is.
trap '' HUP INT PIPE
trap 'exit 0' TERM
trap clean_up EXIT

while read -r order argument; do
    case $order in
    initdb)
        "$bin/initdb" "$@" </dev/null >>"$folder/log" 2>&1
        echo "$?"
        ;;
    start)
        "$bin/postgres" -D "$folder/data" -p "$argument" </dev/null >>"$folder/log" 2>&1 &
        postmaster=$!
        echo "$postmaster"
        ;;
    stop)
        kill -"$argument" "$postmaster"
        wait "$postmaster"
        echo "$?"
        postmaster=
        ;;
    esac
done
