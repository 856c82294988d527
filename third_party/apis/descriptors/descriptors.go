// Package descriptors writes the protobuf files that the calling program has linked in as one FileDescriptorSet, in a
// form that protoc 3.21 turns into small C++.
package descriptors

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// dropped files only define options (validation rules, annotations for documentation tools) or come in with the gRPC
// library and are not ours to speak. No C++ is made of them, and no option that they define is kept.
var dropped = []string{
	"validate/",
	"udpa/annotations/",
	"xds/annotations/",
	"envoy/annotations/",
	"google/api/",
	"google/protobuf/descriptor.proto",
	"google/protobuf/go_features.proto",
	"github.com/golang/",
	"grpc/binlog/",
}

// reserved are the words that C++20 took and that protoc 3.21 does not escape.
var reserved = map[string]bool{
	"requires": true, "concept": true, "consteval": true, "constinit": true, "char8_t": true,
	"co_await": true, "co_return": true, "co_yield": true,
}

func isDropped(path string) bool {
	if strings.HasPrefix(path, "google/api/expr/") {
		return false
	}
	for _, prefix := range dropped {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// Write fills folder `dir`: apis.binpb, the set of all linked files in dependency order, and apis.files, the names of
// those for which C++ is to be generated (all but protobuf's own).
func Write(dir string) error {
	set := &descriptorpb.FileDescriptorSet{}
	var names []string
	for _, file := range inDependencyOrder() {
		if isDropped(file.Path()) {
			continue
		}
		d := protodesc.ToFileDescriptorProto(file)
		slim(d)
		set.File = append(set.File, d)
		if !strings.HasPrefix(file.Path(), "google/protobuf/") {
			names = append(names, file.Path())
		}
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "apis.binpb"), bytes, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "apis.files"), []byte(strings.Join(names, "\n")+"\n"), 0o644)
}

// Main is the whole of the programs that use this package.
func Main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: "+os.Args[0]+" FOLDER")
		os.Exit(2)
	}
	if err := Write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func inDependencyOrder() []protoreflect.FileDescriptor {
	var files, ordered []protoreflect.FileDescriptor
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		files = append(files, f)
		return true
	})
	sort.Slice(files, func(i, j int) bool { return files[i].Path() < files[j].Path() })
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := 0; i < f.Imports().Len(); i++ {
			add(f.Imports().Get(i).FileDescriptor)
		}
		ordered = append(ordered, f)
	}
	for _, f := range files {
		add(f)
	}
	return ordered
}

// slim drops the imports of dropped files and every option that is an extension, and renames reserved words.
func slim(d *descriptorpb.FileDescriptorProto) {
	var imports []string
	index := map[int32]int32{}
	for i, path := range d.Dependency {
		if !isDropped(path) {
			index[int32(i)] = int32(len(imports))
			imports = append(imports, path)
		}
	}
	d.Dependency = imports
	var public []int32
	for _, i := range d.PublicDependency {
		if to, kept := index[i]; kept {
			public = append(public, to)
		}
	}
	d.PublicDependency, d.WeakDependency = public, nil
	dropExtensionOptions(d.ProtoReflect())
	rename(d.MessageType)
}

// dropExtensionOptions works on any descriptor message: options are the messages below it whose fields are extensions.
func dropExtensionOptions(m protoreflect.Message) {
	m.SetUnknown(nil)
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsExtension():
			m.Clear(field)
		case field.Kind() != protoreflect.MessageKind || field.IsMap():
		case field.IsList():
			for i := 0; i < value.List().Len(); i++ {
				dropExtensionOptions(value.List().Get(i).Message())
			}
		default:
			dropExtensionOptions(value.Message())
		}
		return true
	})
}

// rename keeps number and JSON name; only the C++ accessor and the text name change.
func rename(messages []*descriptorpb.DescriptorProto) {
	for _, message := range messages {
		for _, field := range message.Field {
			if reserved[field.GetName()] {
				field.Name = proto.String(field.GetName() + "_")
			}
		}
		rename(message.NestedType)
	}
}
