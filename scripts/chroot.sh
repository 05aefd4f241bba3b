# Other Debians, in folders. Sourced after lib.sh and packages.sh.
# shellcheck shell=bash

# debian_base SUITE: the smallest Debian of a release, installed once; prints its folder. mirror says where from.
debian_base() {
    local suite=$1 folder=${CARGO_TARGET_DIR:-$root/target}/debian/$1
    if [ ! -e "$folder/installed" ]; then
        say "installing Debian $suite in $folder" >&2
        rm -rf --one-file-system "$folder"
        mkdir -p "$folder"
        debootstrap --variant=minbase "$suite" "$folder" "${mirror:?}" >"$folder.log" 2>&1 ||
            die "debootstrap failed: see $folder.log"
        touch "$folder/installed"
    fi
    echo "$folder"
}

# in_fresh FOLDER FILES COMMAND...: runs it in a Debian that is as the one in FOLDER, with the folder FILES as /glasspoll.
# So are further folders: binds="FROM:TO ...". What it changes is gone at its end. All mounts and processes are in namespaces of their own, which end with it.
in_fresh() {
    local base=$1 files=$2
    shift 2
    unshare --mount --propagation private --pid --fork --kill-child env -u LD_PRELOAD LC_ALL=C.UTF-8 HOME=/root \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive bash -euc '
            base=$1 files=$2
            shift 2
            mount -t tmpfs -o size=3g tmpfs /mnt
            mkdir /mnt/upper /mnt/work /mnt/root
            # The files of the machine are below another file system, which may not do for overlays: then a copy.
            mount -t overlay overlay -o "lowerdir=$base,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root 2>/dev/null || {
                cp -a "$base/." /mnt/root
                mount --bind /mnt/root /mnt/root
            }
            new=/mnt/root
            mkdir -p "$new/glasspoll"
            mount --bind "$files" "$new/glasspoll"
            for each in ${binds:-}; do
                mkdir -p "$new${each#*:}"
                mount --bind "${each%%:*}" "$new${each#*:}"
            done
            mount -t proc proc "$new/proc"
            mount --rbind /dev "$new/dev"
            mount --rbind /sys "$new/sys"
            # The network is that of this machine.
            cp /etc/resolv.conf /etc/hosts "$new/etc/" 2>/dev/null || :
            # apt sandboxes itself as a user who may not see the folders above this one. A mirror may be frozen.
            printf "APT::Sandbox::User \"root\";\nAcquire::Retries \"3\";\nAcquire::Check-Valid-Until \"false\";\n" >"$new/etc/apt/apt.conf.d/01chroot"
            printf "#!/bin/sh\nexit 101\n" >"$new/usr/sbin/policy-rc.d"
            chmod 755 "$new/usr/sbin/policy-rc.d"
            chroot "$new" "$@" &
            wait $!
        ' fresh "$base" "$files" "$@"
}
