"""What kind of binary data this is, by its signature: a name for the message that it is not converted.

A table of published signatures; knows nothing of declared types. Only asked about data that is no text.
"""

# (offset, bytes, name). Longer and more telling ones stand before those they begin with.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"%!PS", "application/postscript"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI LIST", "video/x-msvideo"),
    (0, b"RIFF", "a RIFF container"),
    (4, b"ftypavi", "image/avif"),
    (4, b"ftyphei", "image/heic"),
    (4, b"ftypmif1", "image/heif"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (4, b"moov", "video/quicktime"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"\0\0\1\0", "image/vnd.microsoft.icon"),
    (0, b"\0\0\0\x0cJXL ", "image/jxl"),
    (0, b"\0\0\0\x0cjP  ", "image/jp2"),
    (0, b"8BPS", "image/vnd.adobe.photoshop"),
    (0, b"AT&TFORM", "image/vnd.djvu"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"fLaC", "audio/flac"),
    (0, b"MThd", "audio/midi"),
    (0, b"OggS", "application/ogg"),
    (0, b"FORM", "audio/aiff or another IFF container"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm or video/x-matroska"),
    (0, b"FLV\1", "video/x-flv"),
    (0, b"\0\0\1\xba", "video/mpeg"),
    (0, b"\0\0\1\xb3", "video/mpeg"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "video/x-ms-wmv"),
    (0, b"PK\5\6", "application/zip"),
    (0, b"PK\3\4", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"\x04\x22\x4d\x18", "application/x-lz4"),
    (0, b"Rar!\x1a\7", "application/vnd.rar"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"MSCF\0", "application/vnd.ms-cab-compressed"),
    (0, b"\xed\xab\xee\xdb", "application/x-rpm"),
    (0, b"!<arch>\n", "application/x-archive (a Debian package, or a library)"),
    (257, b"ustar", "application/x-tar"),
    (0x8001, b"CD001", "application/x-iso9660-image"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE document (older Office)"),
    (60, b"BOOKMOBI", "application/x-mobipocket-ebook"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"OTTO\0", "font/otf"),
    (0, b"ttcf", "font/collection"),
    (0, b"\0\1\0\0\0", "font/ttf"),
    (0, b"\x7fELF", "an executable (ELF)"),
    (0, b"MZ", "an executable (Windows)"),
    (0, b"\xcf\xfa\xed\xfe", "an executable (Mach-O)"),
    (0, b"\xce\xfa\xed\xfe", "an executable (Mach-O)"),
    (0, b"\xca\xfe\xba\xbe", "an executable (Java class or Mach-O)"),
    (0, b"dex\n03", "an executable (Android)"),
    (0, b"\0asm", "application/wasm"),
    (0, b"CWS", "application/x-shockwave-flash"),
    (0, b"FWS", "application/x-shockwave-flash"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"Obj\1", "application/avro"),
    (0, b"ARROW1\0", "application/vnd.apache.arrow.file"),
    (0, b"ORC", "application/x-orc"),
    (0, b"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
    (0, b"CDF\1", "application/x-netcdf"),
    (0, b"\x93NUMPY", "application/x-npy"),
    (0, b"BM", "image/bmp"),
)
# Signatures of readable characters: data that starts with them is no text, although its first bytes may look like it.
READABLE = (b"%PDF-", b"%!PS-", b"{\\rtf1")

# A ZIP by the names of what is in it.
_ZIPPED = (
    (b"word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/workbook.", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/presentation.xml", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (b"mimetypeapplication/epub+zip", "application/epub+zip"),
    (b"META-INF/container.xml", "application/epub+zip"),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "application/vnd.oasis.opendocument.spreadsheet"),
    (b"mimetypeapplication/vnd.oasis.opendocument.presentation", "application/vnd.oasis.opendocument.presentation"),
    (b"AndroidManifest.xml", "application/vnd.android.package-archive"),
    (b"META-INF/MANIFEST.MF", "application/java-archive"),
)


def name_of(data: bytes) -> str | None:
    """The media type, or a few words, for the signature of `data`; None for one that is not in the table."""
    for offset, signature, name in _SIGNATURES:
        if data.startswith(signature, offset):
            return _zipped(data) if signature == b"PK\3\4" else name
    return None


def _zipped(data: bytes) -> str:
    """By the names in its directory, for what is packed in it may be a package as well; by all of it where that is not found."""
    end = data.rfind(b"PK\5\6")
    start = int.from_bytes(data[end + 16 : end + 20], "little") if end >= 0 else 0
    names = data[30:90] + data[start:end] if data.startswith(b"PK\1\2", start) else data
    return next((name for mark, name in _ZIPPED if mark in names), "application/zip")
