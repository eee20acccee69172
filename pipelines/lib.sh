# Shared by the pipelines; sourced, never run: flags, sources and sinks as pieces of gst-launch lines.
# shellcheck shell=bash

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")

usage_error() { printf '%s: %s\n\n' "$(basename "$0")" "$1" >&2; usage >&2; exit 2; }
# The usage text is the head comment of the script itself, so the two cannot disagree.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; }

# flags NAME=DEFAULT... -- ARGS...: `--some-name value` sets $some_name; a default of `no` makes a switch of it.
flags() {
    local spec names=" " name
    while [ "$1" != -- ]; do
        spec=$1; shift
        name=${spec%%=*}
        names+="$name "
        printf -v "${name//-/_}" '%s' "${spec#*=}"
    done
    shift
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) usage; exit 0 ;;
            --*) name=${1#--} ;;
            *) usage_error "unexpected argument '$1'" ;;
        esac
        case $names in *" $name "*) ;; *) usage_error "unknown flag '$1'" ;; esac
        local variable=${name//-/_}
        if [ "${!variable}" = no ]; then printf -v "$variable" yes; shift; continue; fi
        [ $# -ge 2 ] || usage_error "flag '$1' wants a value"
        printf -v "$variable" '%s' "$2"
        shift 2
    done
}

# need FLAG...: these must have been given.
need() { local f v; for f; do v=${f//-/_}; [ -n "${!v}" ] || usage_error "flag '--$f' is needed"; done; }

# The environment of the build, unless the shell has one already.
environment() {
    gst-inspect-1.0 cisencode >/dev/null 2>&1 && [ -n "${CIS_ONNXRUNTIME:-}" ] && return
    # shellcheck disable=SC1091
    [ -e "$ROOT/env.sh" ] && . "$ROOT/env.sh" || { echo "no env.sh: run ./demo or scripts/build first" >&2; exit 1; }
}

# source_of WHAT: test[:FRAMES] | /dev/videoN | rtsp://... | FILE, as raw video at the pace of a camera.
source_of() {
    case $1 in
        test) echo "videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=10/1" ;;
        test:*) echo "videotestsrc is-live=true pattern=ball num-buffers=${1#test:} ! video/x-raw,width=640,height=360,framerate=10/1" ;;
        /dev/video*) echo "v4l2src device=$1 ! videoconvert" ;;
        rtsp://*) echo "rtspsrc location=$1 latency=100 ! decodebin ! videoconvert" ;;
        *) [ -r "$1" ] || { echo "cannot read the clip '$1'" >&2; exit 1; }
           echo "filesrc location=$1 ! decodebin ! videoconvert ! identity sync=true" ;;
    esac
}

# picture_to WHERE: window | none | FILE.mp4
picture_to() {
    case $1 in
        window) echo "videoconvert ! autovideosink sync=false" ;;
        none) echo "fakesink sync=false" ;;
        *.mp4) echo "videoconvert ! video/x-raw,format=I420 ! x264enc speed-preset=veryfast bitrate=2000 ! mp4mux ! filesink location=$1" ;;
        *) echo "legal outputs are window, none or a name ending in .mp4, not '$1'" >&2; exit 2 ;;
    esac
}

# launch LINE...: shows the gst-launch line, then runs it; -e closes files properly on Ctrl-C.
launch() { printf '+ gst-launch-1.0 -e %s\n' "$*" >&2; exec gst-launch-1.0 -q -e $*; }
