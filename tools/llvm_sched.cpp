// Prints LLVM's scheduling model of one CPU: a line about the CPU, then one line for each
// machine instruction given in hex on standard input ("null" for what LLVM does not know).
//
// Built and run by tools/cost_tables.py, which says how.  Arguments: TRIPLE CPU.

#include "llvm/MC/MCAsmInfo.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCDisassembler/MCDisassembler.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCRegisterInfo.h"
#include "llvm/MC/MCSchedule.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/MCTargetOptions.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Triple.h"
#include <iostream>
#include <string>
#include <vector>

using namespace llvm;

// A unit, or a group of them: its own index and those of its units.
static void print_resources(const MCSchedModel &model) {
  std::cout << "{\"resources\":[null";
  for (unsigned i = 1; i < model.getNumProcResourceKinds(); i++) {
    const MCProcResourceDesc *resource = model.getProcResource(i);
    std::cout << ",[\"" << resource->Name << "\"," << resource->NumUnits << ",[";
    if (resource->SubUnitsIdxBegin)
      for (unsigned unit = 0; unit < resource->NumUnits; unit++)
        std::cout << (unit ? "," : "") << resource->SubUnitsIdxBegin[unit];
    std::cout << "]]";
  }
  std::cout << "]}\n";
}

int main(int argc, char **argv) {
  if (argc != 3)
    return 1;
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86Disassembler();
  const std::string triple = argv[1], cpu = argv[2];
  std::string error;
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  MCTargetOptions options;
  auto *registers = target->createMCRegInfo(triple);
  auto *assembly = target->createMCAsmInfo(*registers, triple, options);
  auto *instructions = target->createMCInstrInfo();
  auto *subtarget = target->createMCSubtargetInfo(triple, cpu, "");
  MCContext context(Triple(triple), assembly, registers, subtarget);
  auto *disassembler = target->createMCDisassembler(*subtarget, context);
  const MCSchedModel &model = subtarget->getSchedModel();
  print_resources(model);

  std::string line;
  while (std::getline(std::cin, line)) {
    std::vector<uint8_t> bytes;
    for (size_t i = 0; i + 1 < line.size(); i += 2)
      bytes.push_back(std::stoi(line.substr(i, 2), nullptr, 16));
    MCInst instruction;
    uint64_t size;
    if (disassembler->getInstruction(instruction, size, bytes, 0, nulls()) !=
            MCDisassembler::Success ||
        size != bytes.size()) {
      std::cout << "null\n";
      continue;
    }
    const MCInstrDesc &description = instructions->get(instruction.getOpcode());
    unsigned id = description.getSchedClass();
    while (id && model.getSchedClassDesc(id)->isVariant())
      id = subtarget->resolveVariantSchedClass(id, &instruction, instructions,
                                               model.getProcessorID());
    const MCSchedClassDesc *schedule = model.getSchedClassDesc(id);
    if (!schedule->isValid()) {
      std::cout << "null\n";
      continue;
    }
    std::cout << "{\"opcode\":\"" << instructions->getName(instruction.getOpcode()).str()
              << "\",\"micro_ops\":" << schedule->NumMicroOps << ",\"latency\":[";
    for (unsigned i = 0; i < schedule->NumWriteLatencyEntries; i++)
      std::cout << (i ? "," : "") << subtarget->getWriteLatencyEntry(schedule, i)->Cycles;
    std::cout << "],\"advance\":[";
    bool first = true;
    for (const MCReadAdvanceEntry &entry : subtarget->getReadAdvanceEntries(*schedule)) {
      std::cout << (first ? "" : ",") << "[" << entry.UseIdx << "," << entry.Cycles << "]";
      first = false;
    }
    std::cout << "],\"resources\":[";
    first = true;
    for (auto *use = subtarget->getWriteProcResBegin(schedule);
         use != subtarget->getWriteProcResEnd(schedule); ++use) {
      std::cout << (first ? "" : ",") << "[" << use->ProcResourceIdx << ","
                << use->ReleaseAtCycle - use->AcquireAtCycle << "]";
      first = false;
    }
    std::cout << "],\"loads\":" << description.mayLoad()
              << ",\"stores\":" << description.mayStore() << "}\n";
  }
}
