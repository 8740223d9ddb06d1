package import ArgumentParser

extension NameSpecification {
  /// A flag as gRPC's interop description writes it, `server_host`, or with hyphens.
  package static func flags(_ names: String...) -> NameSpecification {
    var spellings: [NameSpecification.Element] = []
    for name in names {
      spellings.append(.customLong(name))
      let hyphenated = String(name.map { $0 == "_" ? "-" : $0 })
      if hyphenated != name { spellings.append(.customLong(hyphenated)) }
    }
    return NameSpecification(spellings)
  }
}
