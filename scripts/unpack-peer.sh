#!/bin/sh
# unpack-peer.sh BUILD PACKAGE...: unpack peers, with what they need and this machine lacks, into BUILD/peers.
# Nothing is installed and no daemon starts. Run one with: BUILD/peers/run PROGRAM ARGUMENT...
set -eu
peers=${1:?usage: unpack-peer.sh BUILD PACKAGE...}/peers
shift
mkdir -p "$peers/root"
peers=$(cd "$peers" && pwd)

cat >"$peers/run" <<'RUN'
#!/bin/sh
# run PROGRAM ARGUMENT...: an installed program, or else the unpacked one; both find the unpacked libraries.
root=$(dirname "$0")/root
for lib in "$root"/usr/lib/*-linux-gnu "$root"/usr/lib/*-linux-gnu/*/ "$root"/lib/*-linux-gnu; do
	LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$lib
done
export LD_LIBRARY_PATH
PATH=$root/usr/bin:$root/usr/sbin:$root/bin:$root/sbin:$PATH exec "$@"
RUN
chmod +x "$peers/run"

for package; do
	command -v "$package" >/dev/null && continue
	dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed && continue
	[ -e "$peers/root/.$package" ] && continue
	wanted=$(apt-get install --no-install-recommends -s "$package" | sed -n 's/^Inst \([^ ]*\).*/\1/p')
	[ -n "$wanted" ] || { echo "unpack-peer: $package: apt-get does not know it" >&2; exit 3; }
	echo "unpack-peer: $package, unpacked into $peers/root:" $wanted
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	(cd "$work" && apt-get download -qq $wanted) || exit 3
	for deb in "$work"/*.deb; do
		dpkg -x "$deb" "$peers/root"
	done
	rm -rf "$work"
	touch "$peers/root/.$package"
done
