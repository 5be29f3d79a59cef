// Package simdetr holds the C header dlpack.h; a Go file keeps the folder when modules are vendored.
package simdetr
