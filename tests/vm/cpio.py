"""cpio.py: archives in the "newc" format that the kernel unpacks as its first file system."""
import os
import stat


# Links into usr in the guest, as in Debian: an entry must not go through them.
MERGED = ("bin", "sbin", "lib", "lib64")


class Archive:
    """Writes an archive; folders above an entry are made by themselves. Archives may follow one another in a file."""

    def __init__(self, file):
        self.file = file
        self.names = set()

    def add(self, name, mode, data=b""):
        """Adds one entry; the first of a name counts."""
        name = name.strip("/")
        if name.split("/")[0] in MERGED:
            name = f"usr/{name}"
        if name in self.names:
            return
        if os.path.dirname(name):
            self.folder(os.path.dirname(name))
        self.names.add(name)
        self.entry(name, mode, len(self.names), data)

    def entry(self, name, mode, inode, data):
        path = name.encode() + b"\0"
        # magic; then inode, mode, uid, gid, links, time, size, device x2, rdev x2, length of the name, checksum
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        self.file.write(header + path + b"\0" * (-(len(header) + len(path)) % 4))
        self.file.write(data + b"\0" * (-len(data) % 4))

    def folder(self, name):
        self.add(name, stat.S_IFDIR | 0o755)

    def merge(self):
        """Adds the links into usr."""
        for name in MERGED:
            self.folder(f"usr/{name}")
            self.names.add(name)
            self.entry(name, stat.S_IFLNK | 0o777, len(self.names), f"usr/{name}".encode())

    def link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def text(self, name, text, mode=0o644):
        self.add(name, stat.S_IFREG | mode, text.encode())

    def copy(self, path, name=None):
        """Adds the file at a path of this machine, under that path or another name."""
        with open(path, "rb") as file:
            self.add(name or path, stat.S_IFREG | (os.stat(path).st_mode & 0o777), file.read())

    def close(self):
        """Ends the archive; the file stays the caller's."""
        self.entry("TRAILER!!!", 0, 0, b"")
